"""The models that are stressed: those of emelia, and audio classifiers of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from emelia.audio import Wave
from emelia.config import SAMPLE_RATE
from emelia.emotions import canonical
from emelia.errors import AudioError, ConfigError, MissingExtraError, ModelError
from emelia.packages import package
from emelia.use.answer import NO_SPEECH
from emelia.use.recognizer import Recognizer, load

HUB = "hf:"  # before the folder of a model of Hugging Face


class Told(NamedTuple):
    """An answer: the place of a class, None for `no speech`; probabilities; whether unsure."""

    answer: int | None
    probabilities: tuple[float, ...]
    unsure: bool


class Listener(Protocol):
    """A model that is asked about waveforms."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def threshold(self) -> float | None: ...
    def answers(self, waves: Iterable[Wave]) -> Iterator[Told]: ...


@dataclass(frozen=True)
class Asked:
    """Which model is asked, told so that another process can open it.

    Attributes:
        place: a model's name or file, or `hf:` and a folder.
        labels: pairs of a label of a Hugging Face model and the emotion it stands for.
        digest: of what the model consists of, which tells it from others at the same place.
    """

    place: str
    labels: tuple[tuple[str, str], ...] = ()
    digest: str = ""


@lru_cache(maxsize=1)
def listener(asked: Asked) -> Listener:
    """Open a model; a process opens it once.

    Raises:
        ModelError: no such model, or it cannot be used.
        ConfigError: labels for a model that has its own.
        MissingExtraError: transformers or torch is not installed.
    """
    if asked.place.startswith(HUB):
        return OfHub(asked.place.removeprefix(HUB), dict(asked.labels))
    if asked.labels:
        raise ConfigError("labels are of Hugging Face models (hf:FOLDER); this one has its own.")
    return Ours(load(asked.place))


@dataclass(frozen=True)
class Ours:
    """A model file of emelia, as `predict` asks it."""

    recognizer: Recognizer

    @property
    def name(self) -> str:
        return self.recognizer.card.name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.recognizer.emotions

    @property
    def threshold(self) -> float | None:
        return self.recognizer.threshold

    def answers(self, waves: Iterable[Wave]) -> Iterator[Told]:
        """An answer for each waveform; a sound that cannot be used is told as `no speech`."""
        for one in self.recognizer.predict_many((wave, SAMPLE_RATE) for wave in waves):
            if isinstance(one, AudioError) or one.emotion == NO_SPEECH:
                yield Told(None, (), False)
            else:
                chances = tuple(one.probabilities[name] for name in self.classes)
                yield Told(self.classes.index(one.emotion), chances, one.unsure)


@dataclass(frozen=True)
class OfHub:
    """A folder of Hugging Face with an audio classifier, asked through its pipeline."""

    folder: str
    labels: Mapping[str, str]
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._made["pipeline"] = _pipeline(self.folder)
        own = list(self._made["pipeline"].model.config.id2label.values())
        if unknown := set(self.labels) - set(own):
            raise ConfigError(
                f"labels: {self.folder} has no label {', '.join(sorted(unknown))}; it has "
                f"{', '.join(own)}."
            )
        self._made["emotions"] = {label: self.labels.get(label, canonical(label)) for label in own}

    @property
    def name(self) -> str:
        return Path(self.folder).name

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._made["emotions"].values())))

    @property
    def threshold(self) -> float | None:
        """None: it knows no `not sure`."""
        return None

    def answers(self, waves: Iterable[Wave]) -> Iterator[Told]:
        """An answer for each waveform; of labels that mean one emotion the probabilities add up."""
        pipeline, emotions = self._made["pipeline"], self._made["emotions"]
        rate = pipeline.feature_extractor.sampling_rate
        for wave in waves:
            told = pipeline({"raw": wave, "sampling_rate": rate}, top_k=None)
            chances = dict.fromkeys(self.classes, 0.0)
            for one in told:
                chances[emotions[one["label"]]] += float(one["score"])
            values = tuple(chances.values())
            yield Told(values.index(max(values)), values, False)


def _pipeline(folder: str) -> Any:
    if not Path(folder).is_dir():
        raise ModelError(
            f"{HUB}{folder}: no such folder. Download the model first; expected a folder with "
            "config.json, the weights and preprocessor_config.json."
        )
    try:
        transformers = package("transformers")
        found = transformers.pipeline("audio-classification", model=folder, device="cpu")
    except ImportError:
        raise MissingExtraError("a model of Hugging Face", "transformers", "transfer") from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{HUB}{folder}: no audio classifier that transformers can open ({first})."
        ) from None
    if (rate := found.feature_extractor.sampling_rate) != SAMPLE_RATE:
        raise ModelError(f"{HUB}{folder}: listens at {rate} Hz; expected {SAMPLE_RATE}.")
    return found
