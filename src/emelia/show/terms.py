"""Terms of figures and tables in plain words, for pages to explain them where they stand."""

from __future__ import annotations

import re

# In the order in which they are explained. A term is looked for as a whole word or its plural.
MEANINGS = {
    "accuracy": "share of all test clips that were answered rightly.",
    "UAR": "unweighted average recall: the share of its clips that were recognised, for each "
    "emotion, and the mean of these shares. A rare emotion counts as much as a frequent one.",
    "macro F1": "mean over the emotions of F1, the harmonic mean of precision and recall.",
    "macro precision": "mean over the emotions of precision.",
    "F1": "harmonic mean of precision and recall: high only where both are.",
    "precision": "of the clips that were answered with this emotion, the share that has it.",
    "recall": "of the clips that have this emotion, the share that was recognised.",
    "95 %": "interval: other test speakers, drawn as these were, would give a figure within it "
    "about 95 times in 100.",
    "sd over seeds": "standard deviation of accuracy when training is repeated with other random "
    "numbers.",
    "seed": "one repetition of all trainings, with random numbers of its own.",
    "fold": "a part of the corpus that is tested by a network trained on the rest.",
    "s a cell": "seconds one training took: one recipe, one fold, one seed.",
    "parameter": "one of the numbers in the network that training sets: they tell how large it is.",
    "guessing": "what random answers reach: one divided by the number of emotions tested.",
    "commonest class": "accuracy of always answering with the most frequent emotion.",
    "best test epoch": "the epoch chosen by the test clips themselves, which flatters.",
    "validation": "clips of other speakers than those of training and test, which decide when "
    "training stops.",
    "epoch": "one pass through all training clips.",
    "loss": "what training makes small: how unlikely the network finds the true emotions.",
    "confusion matrix": "rows are the true emotions, columns the answers; the diagonal is right.",
    "McNemar": "a test of two networks on the same clips: it looks only at clips that one of them "
    "answers rightly and the other does not.",
    "p": "how likely a difference this large would be if both were equally good.",
    "Holm": "a correction of p for making many comparisons at once.",
    "ECE": "expected calibration error: how far confidence and share of right answers are apart.",
    "calibration error": "how far confidence and share of right answers are apart.",
    "Brier": "mean squared distance of the probabilities from the truth; 0 is perfect.",
    "temperature": "one number that makes all confidences higher or lower, fitted on validation.",
    "AURC": "area under the curve of errors among the surest answers; smaller is better.",
    "risk-coverage": "share of wrong answers among the surest ones, for every share one accepts.",
    "SNR": "signal-to-noise ratio: how far speech lies above the background, in decibels.",
    "eta squared": "share of a measure's variance that lies between groups, 0 to 100 %.",
    "RMS": "root mean square: the mean level of a sound.",
    "SI-SDR": "how far the wanted speech lies above all that is wrong with it, in decibels.",
    "loso": "leave one speaker out: each speaker is tested by networks that never heard them.",
    "audit": "what training, validation and test share that they should not.",
}


def terms(*texts: str) -> list[tuple[str, str]]:
    """The terms that occur in some texts, each with its meaning."""
    text = " ".join(texts)
    return [(term, meaning) for term, meaning in MEANINGS.items() if _occurs(term, text)]


def _occurs(term: str, text: str) -> bool:
    # "p" and "SNR" are themselves in any other case something else.
    case = 0 if len(term) == 1 or term[0].isupper() else re.IGNORECASE
    return re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", text, case) is not None
