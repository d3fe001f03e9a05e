"""The split that a corpus comes with: the column `split` of its table, or a data set's parts."""

from __future__ import annotations

from collections import Counter

from emelia.corpora.records import PARTS, UNKNOWN_SPEAKER, Corpus, Fold, Split, Utterance
from emelia.corpora.splits.by_clip import draw
from emelia.errors import SplitError

_VALIDATING = 5  # one of so many speakers validates where no part does


def column(corpus: Corpus, name: str) -> Split:
    """The official parts; a share of the training part validates where there is no such part."""
    counts = Counter(u.part for u in corpus.utterances)
    if missing := [part for part in ("train", "test") if not counts[part]]:
        found = ", ".join(f"{part} {n}" for part, n in counts.items() if part) or "nothing"
        raise SplitError(
            f"{name} needs a column split with train and test, and validation where there is one; "
            f"it tells {found}, no {' and no '.join(missing)}."
        )
    parts = {part: [u for u in corpus.utterances if u.part == part] for part in PARTS}
    protocol = "The parts that the column split tells"
    if not parts["validation"]:
        parts["train"], parts["validation"], who = _some_to_validate(parts["train"])
        protocol += f"; {who} of the training part validate"
    if counts[""]:
        protocol += f"; {counts['']} clips have none and are not used"
    fold = Fold("1", *(tuple(parts[part]) for part in PARTS))
    return Split(name, f"{protocol}.", (fold,))


def _some_to_validate(
    train: list[Utterance],
) -> tuple[list[Utterance], list[Utterance], str]:
    """Training clips, validation clips, and who validates: whole speakers where they are known."""
    speakers = sorted({u.speaker for u in train})
    if UNKNOWN_SPEAKER in speakers or len(speakers) < 3:
        rest, drawn = draw(train, max(1, len(train) // 8))
        return rest, drawn, f"{len(drawn)} clips, drawn at random,"
    chosen = speakers[:: -max(2, min(_VALIDATING, len(speakers)))]
    rest = [u for u in train if u.speaker not in chosen]
    return rest, [u for u in train if u.speaker in chosen], f"the speakers {', '.join(chosen)}"
