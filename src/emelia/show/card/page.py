"""The page of a model card in Markdown, from the card in the model file alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emelia.config import SAMPLE_RATE, Card
from emelia.config.card import UNSEEN
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS
from emelia.metrics import OVERALL, PER_CLASS, titles
from emelia.metrics.scores import Metric
from emelia.show.card.confidence import confidence, table
from emelia.show.card.failures import failures
from emelia.show.stress.tables import card_section
from emelia.table import escaped
from emelia.text import between, percent

_LIMITS = """\
- It heard **acted** speech: actors who played an emotion, mostly in studios. What people show
  when nobody asks them to is weaker and mixed, and figures on it are lower.
- It answers how speech **sounds**, not what anybody feels, means or intends. It is no lie
  detector and tells nothing of health or character.
- It is not for **decisions about people**: hiring, marking, policing, insurance, care. In the
  European Union, inferring emotions of people at work or in education is prohibited
  (Regulation (EU) 2024/1689, article 5), save for medical and safety reasons.
- {untested} other than those of the data were not tested.
- Where a recording has speech of several people or emotions, one answer for all of it is wrong."""


def _limits(card: Card) -> str:
    told = "Languages, ages and accents" if card.stress else "Languages, ages, accents, microphones"
    return _LIMITS.format(untested=told if card.stress else f"{told} and rooms")


def _stress(card: Card) -> str:
    return card_section(card.stress) if card.stress else ""


def _refitted(card: Card) -> str:
    if card.unchanged or not card.settings.get("train", {}).get("refit"):
        return ""
    told = (
        "Made once more on training and validation clips; validation figures are of networks "
        "that had not seen the clip"
    )
    own = "'s corpus, as this one has not seen that of a new recording"
    return f"{told}{own if card.for_strangers else ''}."


def to_markdown(card: Card) -> str:
    """Write the page of a model card in Markdown."""
    blocks = (
        _head(card), _data(card), _figures(card), _classes(card),
        _failures(card), confidence(card), _stress(card),
        f"## Limits\n\n{_limits(card)}", _file(card),
    )  # fmt: skip
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(card: Card) -> str:
    return (
        f"# {escaped(card.name)}\n\n{_upper(escaped(card.title).rstrip('.'))}.\n\n"
        f"Given recorded speech it answers one of {len(card.labels)} emotions "
        f"({', '.join(map(escaped, card.labels))}), `unsure` where its confidence is low, or "
        "`no speech`.\n\n"
        f"{_expected(card)}\n\n"
        f"Licence of the weights: {escaped(card.licence) or 'not stated'}"
    )


def _expected(card: Card) -> str:
    """What counts for recordings of one's own: figures on corpora that training has not seen."""
    chance = f"guessing gives {100 / len(card.labels):.0f} %"
    if not card.expected:
        return (
            "How often it is right on recordings from elsewhere than its corpora was not measured; "
            f"expect much less than below ({chance})."
        )
    found = card.expected
    return (
        f"On corpora it has never heard its UAR is {_interval(found['uar'])} % "
        f"({found['clips']} clips of {found['speakers'] or 'unknown'} speakers; {chance}): expect "
        "so much of recordings of your own."
    )


def _data(card: Card) -> str:
    rows = [
        [
            str(c.get("title") or c.get("name", "")),
            str(c.get("language", "unknown")),
            str(c.get("clips", "")),
            str(c.get("licence", "unknown")),
            str(c.get("home", "")),
        ]
        for c in card.corpora
    ]
    clips = card.split.get("clips", {})
    counts = ", ".join(f"{count} {part}" for part, count in clips.items())
    lines = [
        escaped(str(card.split.get("protocol", ""))),
        f"Clips: {counts}." if counts else "",
        f"Fold {card.split['fold']}, seed {card.split['seed']}."
        if {"fold", "seed"} <= card.split.keys()
        else "",
        card.unchanged,
        _refitted(card),
        f"The {'' if card.unchanged else 'epoch, the '}temperature and the threshold were chosen "
        f"on {_calibrated_on(card)}; test clips were only counted.",
    ]
    corpora = table(["Corpus", "Language", "Clips", "Licence", "Home"], rows)
    return f"## Data\n\n{corpora}\n\n" + " ".join(line for line in lines if line)


def _calibrated_on(card: Card) -> str:
    if UNSEEN not in card.metrics:
        return "validation clips"
    return "clips of corpora that trainings by the same recipe left out"


def _figures(card: Card) -> str:
    rows, test = [], card.metrics.get("test", {})
    for part, found in card.metrics.items():
        own = found.get("per_corpus", {}).items()
        title = card.title_of(part)
        rows += [_row(title, found), *(_row(f"{title}, {name}", one) for name, one in own)]
    if not rows:
        return ""
    columns = ["Tested on", "Clips", "Speakers", *_upper_titles(OVERALL)]
    note = "In brackets 95 % intervals by bootstrap, speakers drawn first."
    if test.get("note"):
        note = f"In brackets 95 % intervals by bootstrap, {test['note']}."
    text = f"## Figures\n\n{table(columns, rows)}\n\n{note} {_of_uar(test)} {_lengths(card)}"
    if test.get("nameless"):
        text += f" {UNKNOWN_SPEAKERS}"
    tables = [
        _groups(test.get(f"per_{key}", {}), f"Test {who}")
        for key, who in (("sex", "gender"), ("speaker", "speaker"))
    ]
    return "\n\n".join([text, *filter(None, tables)])


def _lengths(card: Card) -> str:
    """How long the clips are on which the figures were measured."""
    seconds = card.parity.get("seconds")
    last = (
        "of {0:.1f} to {2:.1f} s, half of them shorter than {1:.1f} s".format(*seconds)
        if seconds
        else "of a few seconds"
    )
    heard = "with the pauses they have. `predict` hears the speech alone, in windows of 4 s"
    if card.audio.speech:
        heard = "of which, as by `predict`, the speech alone is heard, in windows of 4 s"
    place = (
        "stands below (Under stress)" if card.stress else "is measured in docs/results.md (length)"
    )
    return (
        f"The figures are of single clips {last}, {heard} of which the mean is the answer; how "
        f"that answers joined clips of up to 60 s and clips with pauses {place}."
    )


def _of_uar(test: Mapping[str, Any]) -> str:
    every = all(own["support"] for own in test.get("per_class", {}).values())
    return f"UAR is the mean recall of {'all classes' if every else 'the classes with clips'}."


def _groups(groups: Mapping[str, Any], who: str) -> str:
    rows = [
        [name, str(own["n"]), *(percent(own[key]) for key in OVERALL)]
        for name, own in groups.items()
    ]
    return table([who, "Clips", *_upper_titles(OVERALL)], rows) if rows else ""


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    return [name, str(found["clips"]), str(found["speakers"] or "unknown"),
            *(_interval(found[key]) for key in OVERALL)]  # fmt: skip


def _classes(card: Card) -> str:
    rows = [
        [
            name,
            *(percent(own[key]) if own["support"] else "–" for key in PER_CLASS),
            str(own["support"]),
        ]
        for name, own in card.metrics.get("test", {}).get("per_class", {}).items()
    ]
    columns = ["Emotion", *_upper_titles(PER_CLASS), "Test clips"]
    return f"## Emotions\n\n{table(columns, rows)}" if rows else ""


def _failures(card: Card) -> str:
    told = failures(card.metrics.get("test", {}), card.labels)
    return "## Known failures\n\n" + "\n".join(f"- {line}" for line in told) if told else ""


def _file(card: Card) -> str:
    return "## File\n\n" + "\n".join(f"- {line}" for line in _facts(card))


def _facts(card: Card) -> Iterator[str]:
    f = card.features
    yield (
        f"ONNX, {card.variant}, {card.parameters} parameters; recipe {card.recipe} "
        f"({card.recipe_digest})."
    )
    kind = {
        "logmel": f"{f.mels} mel bands",
        "mfcc": f"{f.mfccs} MFCC of {f.mels} mel bands",
        "pcen": f"PCEN of {f.mels} mel bands",
        "wave": "the waveform itself",
    }[f.kind]
    yield (
        f"In: `wave` float32 (clips, time) at {SAMPLE_RATE} Hz, zeros after each clip's end, and "
        "`samples` int64 (clips), their lengths."
    )
    yield (
        "Out: `probabilities` (clips, emotions), `logmel` (clips, bands, frames), `saliency` "
        "(clips, emotions, frames), `frames` (clips)."
    )
    yield (
        f"Front end, inside the file: {kind} from {f.fmin:g} to {f.fmax:g} Hz, windows of "
        f"{1000 * f.window / SAMPLE_RATE:g} ms every {1000 * f.hop / SAMPLE_RATE:g} ms."
    )
    if "largest" in card.parity:  # older int8 files were compared otherwise
        yield _parity(card.parity)
    if "int8" in card.parity:
        yield _in_int8(card.parity["int8"])
    yield "Made with " + ", ".join(f"{name} {v}" for name, v in card.versions.items()) + "."
    if card.commit:
        yield f"Source: commit {card.commit}."
    yield f"Created: {card.created}."


def _parity(parity: Mapping[str, Any]) -> str:
    sounds = "made sounds" if parity.get("made") else "recordings"
    return (
        f"Checked against the trained network on {parity['clips']} {sounds}: largest difference "
        f"of a probability {parity['largest']:.1g}."
    )


def _in_int8(compared: Mapping[str, Any]) -> str:
    return (
        f"Its large matrix products are computed in 8 bits: of {compared['clips']} recordings "
        f"{percent(compared['same'])} % have the same answer as before, probabilities differ by "
        f"{compared['mean']:.1g} in the mean, {compared['largest']:.1g} at most."
    )


def _interval(found: Sequence[float]) -> str:
    value, low, high = found
    return f"{percent(value)} ({between(low, high)})"


def _upper_titles(metrics: Mapping[str, Metric]) -> list[str]:
    return [_upper(title) for title in titles(metrics)]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
