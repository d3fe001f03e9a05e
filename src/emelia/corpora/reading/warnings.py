"""Warnings about a corpus that was read: missing clips, and audio that occurs twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from emelia.corpora.records import CorpusSpec, Utterance


def differences(spec: CorpusSpec | None, utterances: Sequence[Utterance]) -> list[str]:
    """Warn where numbers of clips, emotions or speakers differ from the whole corpus."""
    if spec is None or not spec.clips:
        return []
    counts = Counter(u.emotion for u in utterances)
    missing = [name for name in spec.emotions if not counts[name]]
    unequal = [
        f"{name} {counts[name]} of {clips}"
        for name, clips in spec.emotions.items()
        if clips and counts[name] not in (0, clips)
    ]
    parts = [f"no {', '.join(missing)}"] if missing else []
    parts += unequal
    speakers = len({u.speaker for u in utterances})
    if speakers != spec.speakers:
        parts.append(f"{speakers} of {spec.speakers} speakers")
    if not parts and len(utterances) == spec.clips:
        return []
    facts = f": {'; '.join(parts)}" if parts else ""
    return [f"{len(utterances)} of {spec.clips} clips are here{facts}."]


def duplicates(utterances: Sequence[Utterance], most: int = 3) -> list[str]:
    """Warn of identical audio, with the first `most` examples."""
    same = defaultdict(list)
    for utterance in utterances:
        same[utterance.digest].append(utterance)
    groups = [group for group in same.values() if len(group) > 1]
    if not groups:
        return []
    shown = ["; ".join(" = ".join(u.id for u in group[:most]) for group in groups[:most])]
    if len(groups) > most:
        shown.append(f"and {len(groups) - most} more")
    for what in ("emotion", "speaker"):
        if contradictions := sum(len({getattr(u, what) for u in group}) > 1 for group in groups):
            shown.append(f"{contradictions} of them with different {what}s")
    return [f"Identical audio: {', '.join(shown)}."]
