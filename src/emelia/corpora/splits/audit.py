"""Audit a split: which speakers, sentences and identical recordings its parts share.

A test is easier for a network that has seen its speakers or sentences in training. So the audit
is shown beside every figure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from emelia.corpora.records import PARTS, UNKNOWN_SPEAKER, Fold, Split, Utterance
from emelia.text import counted

# The warning for a split of clips whose speakers are unknown.
UNKNOWN_SPEAKERS = (
    "Who speaks is not known of every clip: the same voices may be in training and test, so that "
    "the figures flatter."
)


def audit(split: Split) -> list[dict[str, Any]]:
    """Audit each fold.

    Returns:
        For each fold, JSON-able: `fold`, its name; `clips`, `speakers` and `sentences`, their
        numbers by part; `missing`, the classes each part lacks; `shared`, by pair of parts such
        as `train/test` the `speakers`, `sentences` and pairs of ids of `identical` audio; `added`,
        clips by added corpus, if there are any; `nameless`, clips of unknown speakers by part, if
        there are any; and `text`, all of it in one line.
    """
    classes = {u.emotion for fold in split.folds for part in fold.parts().values() for u in part}
    names = [corpus.name for corpus in split.added]
    return [_audit(fold, classes, names) for fold in split.folds]


def audit_lines(audits: Sequence[Mapping[str, Any]]) -> list[str]:
    """The audit as text: one line for all folds with the same result."""
    alike = defaultdict(list)
    for one in audits:
        alike[one["text"]].append(one)
    lines = []
    for text, group in alike.items():
        names = f"fold{'s' * (len(group) > 1)} {', '.join(one['fold'] for one in group)}"
        if len(group) == len(audits) > 1:
            names = f"all {len(group)} folds"
        clips = ", ".join(f"{part} {_range(one['clips'][part] for one in group)}" for part in PARTS)
        lines.append(f"{names} (clips: {clips}): {text}")
    return lines


def _audit(fold: Fold, classes: set[str], added: Sequence[str]) -> dict[str, Any]:
    parts, heard = fold.parts(), Counter(u.corpus for u in fold.train)
    found: dict[str, Any] = {
        "fold": fold.name,
        "clips": {part: len(utterances) for part, utterances in parts.items()},
        "speakers": {part: len(_speakers(utterances)) for part, utterances in parts.items()},
        "sentences": {part: len(_sentences(utterances)) for part, utterances in parts.items()},
        "missing": {
            part: sorted(classes - {u.emotion for u in utterances})
            for part, utterances in parts.items()
        },
        "shared": {
            f"{one}/{other}": _shared(parts[one], parts[other])
            for one, other in combinations(PARTS, 2)
        },
    }
    if added:
        found["added"] = {name: heard[name] for name in added}
    if unknown := {part: n for part, clips in parts.items() if (n := _unknown(clips))}:
        found["nameless"] = unknown  # the key of existing result files
    found["text"] = _text(found, fold)
    return found


def _shared(one: Sequence[Utterance], other: Sequence[Utterance]) -> dict[str, Any]:
    by_audio = defaultdict(list)
    for utterance in one:
        if utterance.digest:  # empty where a clip was not decoded
            by_audio[utterance.digest].append(utterance.id)
    return {
        "speakers": sorted(_speakers(one) & _speakers(other)),
        "sentences": sorted(_sentences(one) & _sentences(other)),
        "identical": [[known, u.id] for u in other for known in by_audio.get(u.digest, ())],
    }


def _text(found: Mapping[str, Any], fold: Fold) -> str:
    """The audit of a fold in one line."""
    words = [
        *_corpora(fold),
        _compare("speakers", _speakers(fold.test), found),
        *_unknown_speakers(fold),
        _compare("sentences", _sentences(fold.test), found),
    ]
    pairs = [pair for shared in found["shared"].values() for pair in shared["identical"]]
    words.append(_identical(pairs))
    for part, emotions in found["missing"].items():
        if emotions:
            words.append(f"no {', '.join(emotions)} in {part}")
    if added := [f"{clips} clips of {name}" for name, clips in found.get("added", {}).items()]:
        words.append(f"added to training: {', '.join(added)}")
    return "; ".join(words)


def _corpora(fold: Fold) -> list[str]:
    """Says so where no corpus of the test part is in another part."""
    tested = {u.corpus for u in fold.test}
    heard = {u.corpus for u in (*fold.train, *fold.validation)}
    return [] if tested & heard else ["corpora of the test disjoint"]


def _unknown_speakers(fold: Fold) -> list[str]:
    """Names corpora or counts clips whose speakers are unknown: they may be in every part."""
    clips = [u for part in fold.parts().values() for u in part]
    unknown = [u for u in clips if u.speaker == UNKNOWN_SPEAKER]
    names = sorted({u.corpus for u in unknown if u.corpus})
    some = [counted(len(unknown), "clip")] if 0 < len(unknown) < len(clips) else []
    return [f"speakers of {', '.join(names or some)} unknown"] if names or some else []


def _compare(what: str, tested: set[str], found: Mapping[str, Any]) -> str:
    """Number of test speakers or sentences that are in training or validation, too."""
    if not all(found[what].values()):  # a part without any cannot be called disjoint
        return f"{what} unknown"
    shared = {pair: set(lists[what]) for pair, lists in found["shared"].items()}
    heard = shared["train/test"] | shared["validation/test"]
    if heard:
        return f"{len(heard)} of {len(tested)} {what} shared"
    return f"{what} of the test disjoint" if shared["train/validation"] else f"{what} disjoint"


def _identical(pairs: Sequence[Sequence[str]]) -> str:
    if not pairs:
        return "no identical audio"
    more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
    return f"identical audio: {' = '.join(pairs[0])}{more}"


def _speakers(utterances: Iterable[Utterance]) -> set[str]:
    return {u.speaker for u in utterances} - {UNKNOWN_SPEAKER}


def _unknown(utterances: Iterable[Utterance]) -> int:
    return sum(u.speaker == UNKNOWN_SPEAKER for u in utterances)


def _sentences(utterances: Iterable[Utterance]) -> set[str]:
    return {u.sentence for u in utterances} - {""}


def _range(values: Iterable[int]) -> str:
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    return str(low) if low == high else f"{low}-{high}"
