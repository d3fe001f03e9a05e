"""Every picture as a matplotlib figure, to show in a notebook or to save.

    from emelia import evaluate, plot

    plot.confusion(evaluate("default", "recordings/"))
    plot.spectrogram("clip.wav").savefig("clip.pdf")

Notebooks show a figure that is the last line of a cell. No global state of pyplot is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emelia.api.spectrograms import log_mel
from emelia.api.training_results import StudyResults, Training
from emelia.audio import resample
from emelia.config import PRESETS, SAMPLE_RATE, FeatureConfig
from emelia.errors import AudioError, ConfigError
from emelia.results import Row
from emelia.results.evaluation import Evaluation, of_cell
from emelia.show.answer import explanation as of_answers
from emelia.show.answer.timeline import timeline_figure
from emelia.show.explore import plots as corpus_plots
from emelia.show.explore.data import Exploration, values
from emelia.show.explore.tables import COMPARED
from emelia.show.report import plots, plots_calibration
from emelia.use.answer import Prediction
from emelia.use.recognizer import Recognizer
from emelia.use.timeline.timeline import Timeline
from emelia.use.waveforms import Source, one_rate, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "confusion",
    "corpus",
    "curves",
    "explanation",
    "reliability",
    "risk_coverage",
    "spectrogram",
    "study",
    "timeline",
]


def corpus(found: Exploration, what: str = "emotion") -> Figure:
    """What a corpus is made of: how many clips of what, or how a measure is distributed.

    Args:
        found: what `explore` returns.
        what: `emotion`, `speaker`, or a measure: `seconds`, `level`, `snr`, `pitch`, `pitch_range`,
            `speaking_rate`.

    Raises:
        ConfigError: another word, or there is one speaker or too many to draw.
        MissingExtraError: matplotlib is not installed.
    """
    if what == "emotion":
        return corpus_plots.classes(found)
    if what == "speaker":
        if drawn := corpus_plots.speakers(found):
            return drawn
        raise ConfigError("speaker: there are too few or too many speakers to draw.")
    labels = {name: f"{title}, {unit}" for name, title, unit, _ in COMPARED}
    if what not in labels:
        raise ConfigError(f"what: {what!r}; expected emotion, speaker, {', '.join(labels)}.")
    return corpus_plots.histogram(values(found.clips, what), labels[what])


def confusion(found: Evaluation | Training | Row) -> Figure:
    """The confusion matrix: rows are what is true, columns what was answered.

    Args:
        found: what `evaluate` or `train` returns, or a row of a study's results.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if isinstance(found, Row):
        return plots.confusion(found.confusion, found.cells[0].classes)
    own = _evaluation(found)
    return plots.confusion(own.confusion, own.classes, own.answered)


def reliability(found: Evaluation | Training) -> Figure:
    """Confidence against the share of right answers; ideal is the diagonal.

    Raises:
        ConfigError: the answers have no probabilities.
        MissingExtraError: matplotlib is not installed.
    """
    worth = _evaluation(found).calibration
    if worth is None:
        raise ConfigError("these answers have no probabilities, so nothing is known of confidence.")
    return plots_calibration.reliability(worth.bins, worth.bins_before if worth.fitted else ())


def risk_coverage(found: Evaluation | Training) -> Figure:
    """The share of wrong answers among the surest ones, over how many are accepted.

    Raises:
        ConfigError: the answers have no probabilities.
        MissingExtraError: matplotlib is not installed.
    """
    worth = _evaluation(found).calibration
    if worth is None:
        raise ConfigError("these answers have no probabilities, so nothing is known of confidence.")
    return plots_calibration.risk_coverage(worth.curve, len(worth.truth))


def curves(found: Training | Row, what: str = "loss") -> Figure:
    """How a training went: the loss, or the UAR on validation clips, over its epochs.

    Args:
        found: what `train` returns, or a row of a study's results.
        what: `loss` or `uar`.

    Raises:
        ConfigError: another word.
        MissingExtraError: matplotlib is not installed.
    """
    drawn = {"loss": plots.losses, "uar": plots.progress}
    if what not in drawn:
        raise ConfigError(f"what: {what!r}; expected loss or uar.")
    row = found if isinstance(found, Row) else Row(found.cell.recipe, (found.cell,), 1)
    return drawn[what](row)


def study(found: StudyResults) -> Figure:
    """The accuracy of each recipe of a study, with its interval.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return plots.intervals(found.rows)


def spectrogram(
    audio: Source, rate: int | None = None, *, sr: int | None = None, preset: str = "founding"
) -> Figure:
    """A recording above its mel spectrogram in dB.

    Args:
        audio: a path, bytes, or samples with their rate: see `Recognizer.predict`.
        rate: of samples, in Hz.
        sr: another name for it.
        preset: of the front end: founding, speech-64, speech-80.

    Raises:
        AudioError: it cannot be decoded or used.
        MissingExtraError: matplotlib or scipy is not installed.
    """
    wave, hertz = read(audio, one_rate(rate, sr))
    wave = resample(wave, hertz)
    values = log_mel(wave, SAMPLE_RATE, preset=preset)
    return plots.conversion(wave, values, PRESETS.get(preset, FeatureConfig()))


def timeline(found: Timeline) -> Figure:
    """The emotions along a recording: its waveform, segments and probabilities.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return timeline_figure(
        str(found), found.seconds, found.envelope, found.emotions, found.windows, found.segments
    )


def explanation(answer: Prediction, recognizer: Recognizer, title: str = "") -> Figure:
    """What the network saw of a recording, and which frames spoke for the answer.

    Args:
        answer: what `recognizer.predict` returned.
        recognizer: it.
        title: above the picture; the answer in words by default.

    Raises:
        AudioError: there is no speech to draw.
        MissingExtraError: matplotlib is not installed.
    """
    if not answer.probabilities:
        raise AudioError("no speech found, so there is nothing to draw.")
    return of_answers.explanation(
        title or answer.in_words(), answer.logmel, answer.saliency, answer.probabilities,
        recognizer.card.features, recognizer.thresholds,
    )  # fmt: skip


def _evaluation(found: Evaluation | Training) -> Evaluation:
    return found if isinstance(found, Evaluation) else of_cell(found.cell)
