"""Who speaks in the test clips of a study, and whether training heard them too."""

from __future__ import annotations

from collections.abc import Mapping

from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.results import Row, Study
from emelia.text import counted


def known_speakers(row: Row) -> Mapping[str, tuple[int, float]]:
    """Test clips of each known speaker, and the accuracy on them."""
    return {name: own for name, own in row.per_speaker.items() if name != UNKNOWN_SPEAKER}


def who(row: Row) -> str:
    """Who speaks in the test clips: "6 speakers", "unknown speakers"."""
    known = known_speakers(row)
    if len(known) == len(row.per_speaker):
        return counted(len(known), "speaker")
    return (
        f"{counted(len(known), 'known speaker')} and unknown ones"
        if known
        else ("unknown speakers")
    )


def nameless(study: Study) -> bool:
    """Whether the speaker of some clip, tested or trained on, is unknown."""
    cells = [cell for row in study.rows for cell in row.cells]
    return any(UNKNOWN_SPEAKER in c.speakers or c.audit.get("nameless") for c in cells)


def heard_before(study: Study) -> bool:
    """Whether the audits found test speakers in training or validation."""
    audits = [cell.audit.get("shared", {}) for row in study.rows for cell in row.cells]
    return any(
        parts.endswith("/test") and bool(shared.get("speakers"))
        for found in audits
        for parts, shared in found.items()
    )


def apart(study: Study) -> bool:
    """Whether no test speaker was seen before; False where that is not known."""
    return not heard_before(study) and not nameless(study)
