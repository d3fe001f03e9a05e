"""The card in a model file: the contract between exporting and using a model.

A card is JSON in the ONNX metadata under `emelia`. It comes from a stranger's file, so that
`Card.read` believes nothing: every field is checked for presence, kind and size.

The graph it describes: inputs `wave` float32 (B, T) at 16 kHz with zeros after each clip's end
and `samples` int64 (B,); outputs `probabilities` (B, C), temperature applied, `logmel` (B, M, F)
as the network saw it, `saliency` (B, C, F), what each frame says for a class against the others,
and `frames` int64 (B,), of which each clip has so many. One that can be adapted to a source also
has an output `coordinates` (B, K), where a clip lies in the model's space, and an optional input
`offset` (1, K) or (B, K), that of the source, which is 0 where it is not given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from emelia.config.former import present_names
from emelia.config.front_end import AudioConfig, FeatureConfig
from emelia.config.reading import build, check
from emelia.config.recipe import Recipe
from emelia.config.thresholds import Thresholds
from emelia.errors import ConfigError, ModelError
from emelia.text import from_json

SCHEMA = 1
KEY = "emelia"  # of the metadata
INT8 = "int8"  # the variant whose large products are computed in 8 bits
INPUTS = ("wave", "samples")
ADAPTED = "adapted"  # the part of `metrics` on the same clips, adapted to ten of their corpus
UNSEEN = "unseen"  # the part of `metrics` on corpora that training has not seen, if measured
OUTPUTS = ("probabilities", "logmel", "saliency", "frames")
OFFSET, COORDINATES = "offset", "coordinates"  # of models that can be adapted to a source
_MOST_LABELS = 100
_MOST_BYTES = 1_000_000
_MOST_COORDINATES = 1000
_MOST_PRIOR = 1e6
_STRESS = ("accuracy", "unchanged", "uar_lost", "unsure", "silent")  # figures of a condition


@dataclass(frozen=True, slots=True)
class Card:
    """Everything in a model file besides the graph."""

    name: str
    labels: tuple[str, ...]  # in the order of the classes
    features: FeatureConfig
    audio: AudioConfig
    temperature: float  # logits were divided by it inside the graph
    threshold: float  # confidence below which an answer is `unsure`
    threshold_rule: str = ""  # one sentence: how the threshold was chosen, on what
    thresholds: Mapping[str, float] = field(default_factory=dict)  # higher ones, by emotion
    title: str = ""
    recipe: str = ""
    recipe_digest: str = ""
    parameters: int = 0
    # How weights are stored: float32; float16, and computed with in float32; int8.
    variant: str = "float32"
    licence: str = ""  # under which these weights may be used, and why
    corpora: tuple[Mapping[str, Any], ...] = ()  # name, title, language, licence, home, clips
    split: Mapping[str, Any] = field(default_factory=dict)  # name, protocol, fold, seed, clips
    unchanged: str = ""  # why fine-tuning left the weights as they were; empty where it did not
    metrics: Mapping[str, Any] = field(default_factory=dict)  # by part and corpus, with intervals
    # How it is adapted to a source (`use.adaptation`): means (C, K), variances (K,) and prior (C,);
    # temperature, threshold and thresholds of adapted answers; empty where it cannot be.
    adaptation: Mapping[str, Any] = field(default_factory=dict)
    # What it does with changed and joined clips: corpus, clips, speakers, accuracy and conditions.
    stress: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)  # clips, largest difference to torch
    # The recipe's settings, without those above; older files have none and cannot be fine-tuned.
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    created: str = ""  # UTC, ISO 8601

    @property
    def for_strangers(self) -> bool:
        """Whether it was selected and calibrated on corpora left out in turn (unseen sources)."""
        if UNSEEN in self.metrics and not self.unchanged:
            return True
        train = {} if self.unchanged else self.settings.get("train")
        return isinstance(train, Mapping) and train.get("selection_groups") == "corpora"

    def limits(self, adapted: bool = False) -> Thresholds:
        """From what confidence on answers are sure, plain ones or those adapted to a source."""
        if not adapted:
            return Thresholds(self.threshold, self.thresholds)
        known = self.adaptation
        return Thresholds(known["threshold"], known.get("thresholds", {}))

    @property
    def expected(self) -> Mapping[str, Any]:
        """Figures on corpora never heard in training, as one's own recordings are; or nothing."""
        found = self.metrics.get(UNSEEN) or (
            self.metrics.get("validation") if self.for_strangers else None
        )
        return found if isinstance(found, Mapping) else {}

    def title_of(self, part: str) -> str:
        """What the clips of a part of `metrics` are to the model."""
        if self.metrics.get(part) and self.metrics[part] is self.expected:
            return "corpora never heard"
        if part == ADAPTED:
            return "corpora never heard, adapted to ten clips of each"
        figures = self.metrics.get(part)
        named = isinstance(figures, Mapping) and not figures.get("nameless")
        return "new speakers of its corpora" if part == "test" and named else part

    def to_json(self) -> str:
        """Write the card as `read` takes it."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def read(cls, text: str | None) -> Card:
        """Read a card.

        Raises:
            ModelError: there is none, it is damaged, or of a schema this version does not know.
        """
        values = _parse(text)
        try:
            values["features"] = build(FeatureConfig, values["features"], "features.")
            values["audio"] = build(AudioConfig, values["audio"], "audio.")
            check(Recipe(features=values["features"], audio=values["audio"]))
            if isinstance(settings := values.get("settings"), Mapping):
                values["settings"] = present_names(settings)
            values["labels"] = tuple(values["labels"])
            values["corpora"] = tuple(values.get("corpora", ()))
            card = cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
            _check(card)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ModelError(f"its card is damaged ({error}). Export the model again.") from None
        return card


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        raise ModelError(
            "not a model of emelia: it has no card. `emelia export RUN` makes one from a run."
        )
    try:
        values = from_json(text) if len(text) <= _MOST_BYTES else None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ModelError("its card is damaged. Export the model again.")
    if (schema := values.pop("schema", None)) != SCHEMA:
        raise ModelError(
            f"its card has schema {str(schema)[:20]!r}, this version reads {SCHEMA}. "
            "Install a newer emelia, or export the model again."
        )
    return values


def _check(card: Card) -> None:
    """Refuse fields of the wrong type or size."""
    for item in fields(card):
        value = getattr(card, item.name)
        kind = _KINDS.get(str(item.type).partition("[")[0], object)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{item.name} is a {type(value).__name__}")
    if not 2 <= len(card.labels) <= _MOST_LABELS or len(set(card.labels)) < len(card.labels):
        raise ValueError(f"{len(card.labels)} labels, expected 2 to {_MOST_LABELS} different ones")
    if not all(isinstance(label, str) and 0 < len(label) <= 100 for label in card.labels):
        raise ValueError("a label is not a short word")
    if not (math.isfinite(card.temperature) and card.temperature > 0 and 0 <= card.threshold <= 1):
        raise ValueError(f"temperature {card.temperature}, threshold {card.threshold}")
    _check_thresholds(card.thresholds, card.labels)
    _check_adaptation(card.adaptation, card.labels)
    check_stress(card.stress)


def check_stress(found: Mapping[str, Any]) -> None:
    """Refuse figures of a stress test of the wrong type; nothing at all is right.

    Raises:
        ValueError, KeyError, TypeError: what is wrong.
    """
    if not found:
        return
    if not isinstance(found["corpus"], str) or not isinstance(found["conditions"], list):
        raise ValueError("a stress test without a corpus or conditions")
    told = [found[key] for key in ("clips", "speakers", "accuracy")]
    for one in found["conditions"]:
        told += [one[key] for key in _STRESS]
        if not all(isinstance(one[key], str) for key in ("category", "name", "wanted")):
            raise ValueError("a condition of a stress test without a name")
        if one["passed"] not in (True, False, None):
            raise ValueError("a condition that neither passed nor failed")
    if not all(map(_is_number, told)):
        raise ValueError("a stress test has figures that are no numbers")


def _check_thresholds(own: Any, labels: Sequence[str]) -> None:
    if not isinstance(own, Mapping) or not set(own) <= set(labels):
        raise ValueError("thresholds of emotions that it does not know")
    if not all(_is_number(limit) and 0 <= limit <= 1 for limit in own.values()):
        raise ValueError("thresholds that are not from 0 to 1")


def _check_adaptation(known: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Refuse numbers of an adaptation that are none, or of other sizes than its classes have."""
    if not known:
        return
    variances, means = known["variances"], known["means"]
    rows = [variances, *means]
    if len(means) != len(labels) or not 1 <= len(variances) <= _MOST_COORDINATES:
        raise ValueError(f"adaptation has means of {len(means)} classes")
    if any(len(row) != len(variances) or not all(map(_is_number, row)) for row in rows):
        raise ValueError("adaptation has rows of other sizes, or what is no number")
    if min(variances) < 0 or not (
        _is_number(known["temperature"]) and known["temperature"] > 0
        and _is_number(known["threshold"]) and 0 <= known["threshold"] <= 1
    ):  # fmt: skip
        raise ValueError("adaptation has numbers that do not fit")
    prior = known.get("prior", [1] * len(labels))  # files had none at first
    if len(prior) != len(labels) or not all(_is_number(n) and 0 < n <= _MOST_PRIOR for n in prior):
        raise ValueError("adaptation has a prior that does not fit")
    _check_thresholds(known.get("thresholds", {}), labels)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_KINDS: dict[str, Any] = {
    "str": str, "int": int, "float": (int, float), "tuple": tuple, "Mapping": Mapping,
}  # fmt: skip
