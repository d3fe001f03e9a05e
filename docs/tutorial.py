# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Emotion recognition from speech with mel spectrograms and CNNs
#
# This notebook follows the founding study of emelia step by step: explore the recordings, process
# them, make mel spectrograms, train the three families of CNNs, compare them, and conclude. Where the
# founding document left a blank, there is a figure here.
#
# It runs from an empty folder on the embedded corpus of synthetic voices, in a few minutes. With real
# speech: set `EMELIA_TUTORIAL_CORPUS=aesdd` and `EMELIA_CORPORA` to the folder that has it, and
# `EMELIA_TUTORIAL_CELLS` to results that are there already, if you do not want to train for hours.

# %%
# %matplotlib inline
import os
from pathlib import Path

import numpy as np

from emelia import explore, findings, load, plot, preprocess_audio, read_corpus, read_results

CORPUS = os.environ.get("EMELIA_TUTORIAL_CORPUS", "demo")
CELLS = os.environ.get("EMELIA_TUTORIAL_CELLS", "")


# %% [markdown]
# ## 1. Data preparation
#
# ### Data exploration
#
# How many samples are there, of which emotions, by whom, in which format?

# %%
corpus = read_corpus(CORPUS)
print(f"Number of samples: {len(corpus.utterances)}")
print(f"Emotions included: {', '.join(sorted({u.emotion for u in corpus.utterances}))}")
print(f"Speakers: {len({u.speaker for u in corpus.utterances})}")
print(f"Audio format: {', '.join(sorted({u.path.suffix[1:].upper() for u in corpus.utterances}))}")

# %% [markdown]
# `emelia explore` measures every recording, and says first what endangers figures trained on it.

# %%
found = explore(corpus)
for sentence in findings(found)[:4]:
    print("-", sentence)

# %%
# Medians over the clips: seconds, dB, Hz, semitones and syllables a second.
clips = found.to_frame()
measures = ["seconds", "level", "snr", "pitch", "pitch_range", "speaking_rate"]
clips.groupby("emotion")[measures].median().round(1).assign(clips=clips.emotion.value_counts())

# %%
plot.corpus(found)

# %%
plot.corpus(found, "seconds")

# %% [markdown]
# ### Data processing
#
# The founding document subtracts the mean and calls it noise reduction. It removes a constant offset
# and no noise; `preprocess_audio` does that and brings the peak to 1. Real noise reduction is a setting
# (`audio.denoise`); [what it takes away was measured](results/noise.md).

# %%
clip = corpus.utterances[0]
audio, rate = preprocess_audio(clip.path)
print(
    f"{clip.id}: {clip.emotion}, {audio.size:,} samples at {rate} Hz, peak {np.abs(audio).max():.2f}"
)

# %% [markdown]
# ### From sound to mel spectrogram
#
# Sampling rate 16 kHz, windows of 2048 samples (128 ms) every 512 (32 ms), 128 mel bands up to 8 kHz,
# in decibels below the loudest point.

# %%
from emelia import log_mel

values = log_mel(audio, rate)
print(f"{values.shape[0]} bands, {values.shape[1]} frames")
plot.spectrogram(audio, rate)

# %% [markdown]
# ## 2. Convolutional neural networks
#
# Three families: clips of **any length with a batch size of 1**; clips **resized** to 128 x 256; and
# **artificial data**, where the training set is made several times as large by noise, pitch and masks.
# ReLU, cross-entropy, Adam. Every network is tested on speakers it has never heard, and validation
# speakers choose the epoch. On a random split, as the founding study used, the same networks seem
# [25 points better](results.md#what-does-a-random-split-claim).

# %%
import subprocess
import sys

folder = Path(CELLS or "runs/tutorial")
if not CELLS:
    command = [sys.executable, "-m", "emelia", "study", "--quick", "--out", "runs/tutorial"]
    subprocess.run(command, check=True, capture_output=True)

# %% [markdown]
# ## 3. Results

# %%
results = read_results(folder)
print(results.cells[0].protocol)
results.to_frame()[["recipe", "accuracy", "accuracy_low", "accuracy_high", "uar"]].round(3)

# %%
plot.study(results)

# %% [markdown]
# Precision, recall and F1 of each emotion, and the confusion matrix, of the best network:

# %%
from sklearn.metrics import classification_report

best = max(results.rows, key=lambda row: row.uar)
answers = results.answers()
answers = answers[answers.recipe == best.recipe]
print(best.recipe)
print(classification_report(answers.truth, answers.answer, zero_division=0))

# %%
plot.confusion(best)

# %%
plot.curves(best, "uar")

# %% [markdown]
# ## 4. Conclusions
#
# These sentences are made from the figures. Two networks are said to differ only where McNemar's test
# on the same clips shows it.

# %%
for sentence in findings(results):
    print("-", sentence)

# %% [markdown]
# ## 5. A model that ships
#
# The networks above learn from this corpus alone. `default` has seen seven corpora, AESDD among them;
# this is its answer to the first clip. It is right about recordings of corpora it never heard
# [in fewer than half of the cases](results.md#how-often-are-the-models-right).

# %%
answer = load("default").predict(clip.path)
print(f"true: {clip.emotion}; answered: {answer.emotion}, {100 * answer.confidence:.0f} % sure")
