"""Mel spectrograms of recordings and of corpora, as arrays.

    from emelia import features, log_mel

    log_mel("clip.wav")  # (128, F) in dB
    features("aesdd").statistics()  # (N, 256): for scikit-learn

Shapes: N clips, M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio import mel, resample
from emelia.config import FeatureConfig, Recipe
from emelia.config.reading import recipe_from
from emelia.corpora import Corpus, read_corpus
from emelia.metrics import Labels
from emelia.packages import require_training
from emelia.table import data_frame
from emelia.use.waveforms import Source, one_rate, read

Spectrogram = NDArray[np.float32]  # (M, F)


def log_mel(
    audio: Source, rate: int | None = None, *, sr: int | None = None, **settings: Any
) -> Spectrogram:
    """The log-mel spectrogram (M, F) of a recording in dB, its loudest point at 0.

    It is what librosa's `melspectrogram` and `power_to_db(ref=np.max)` give for the mono waveform
    at 16 kHz; by default 128 bands, windows of 2048 samples, every 512: the founding study's.

    Args:
        audio: a path, bytes, or samples with their rate: see `Recognizer.predict`.
        rate: of samples, in Hz.
        sr: another name for it.
        settings: `preset="speech-64"`, `mels`, `n_fft`, `window`, `hop`, `fmin`, `fmax`, `top_db`:
            see `emelia recipes --settings`.

    Raises:
        AudioError: it cannot be decoded or used.
        ConfigError: a setting that does not exist or fit.
        MissingExtraError: scipy is not installed.
    """
    config = _config(settings)
    wave, hertz = read(audio, one_rate(rate, sr))
    return mel.log_mel(resample(wave, hertz), config)


@dataclass(frozen=True, eq=False)
class Features:
    """The spectrograms of a corpus, as networks get them.

    Attributes:
        spectrograms: of each clip, N arrays float32 (M, F), of as many frames as it is long.
        labels: class numbers (N,).
        classes: names of the classes.
        ids, speakers: of the clips, N each.
    """

    spectrograms: tuple[Spectrogram, ...]
    labels: Labels
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    speakers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.spectrograms)

    def __str__(self) -> str:
        frames = [one.shape[1] for one in self.spectrograms]
        bands = len(self.spectrograms[0]) if frames else 0
        return f"{len(self)} spectrograms, {bands} bands, {min(frames)} to {max(frames)} frames"

    def padded(self) -> Spectrogram:
        """All in one array (N, M, F) of the longest's frames; what follows the others is lowest."""
        longest = max(one.shape[1] for one in self.spectrograms)
        return np.stack(
            [
                np.pad(one, ((0, 0), (0, longest - one.shape[1])), constant_values=one.min())
                for one in self.spectrograms
            ]
        )

    def statistics(self) -> NDArray[np.float32]:
        """Mean and standard deviation over time of each band, (N, 2 M): a row for each clip."""
        rows = [np.append(one.mean(axis=1), one.std(axis=1)) for one in self.spectrograms]
        return np.array(rows, np.float32)

    def to_frame(self) -> Any:
        """`statistics` as a pandas DataFrame, with id, speaker and emotion of each clip.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        bands = range(len(self.spectrograms[0]))
        names = [*(f"mean_{band}" for band in bands), *(f"sd_{band}" for band in bands)]
        about = zip(self.ids, self.speakers, self.labels.tolist(), strict=True)
        rows = [
            [id_, speaker, self.classes[label], *row]
            for (id_, speaker, label), row in zip(about, self.statistics().tolist(), strict=True)
        ]
        return data_frame(["id", "speaker", "emotion", *names], rows)


def features(
    corpus: Corpus | str,
    *,
    emotions: Sequence[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Features:
    """The spectrograms of all clips of a corpus, computed once and kept in the cache folder.

    By default they are those of `log_mel`, of clips without their offset.

    Args:
        corpus: see `read_corpus`.
        emotions: only these classes.
        on_progress: called with clips done and clips in all.
        settings: of the front end, as those of `log_mel`, and `kind` (logmel, mfcc, pcen) and
            `standardise` (none, clip, band).

    Raises:
        CorpusError: there is no such corpus.
        ConfigError: a setting that does not exist or fit.
        MissingExtraError: torch is not installed.
    """
    require_training("emelia.features")
    from emelia.learn.data.loader import Loader

    data = corpus if isinstance(corpus, Corpus) else read_corpus(corpus, emotions=emotions)
    config = _config({"standardise": "none", **settings})
    loader = Loader(Recipe(features=config), data.emotions)
    clips = []
    for done, clip in enumerate(data.utterances, 1):
        clips += loader.load([clip])
        if on_progress:
            on_progress(done, len(data.utterances))
    return Features(
        tuple(np.asarray(clip.spec) for clip in clips),
        np.array([clip.label for clip in clips], np.int64),
        data.emotions,
        tuple(clip.utterance.id for clip in clips),
        tuple(clip.utterance.speaker for clip in clips),
    )


def _config(settings: dict[str, Any]) -> FeatureConfig:
    return recipe_from({"name": "own", "features": settings}).features
