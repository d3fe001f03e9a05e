"""What an audit tells of speakers nobody knows, and of corpora that are added to training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emelia.corpora.records import UNKNOWN_SPEAKER, Corpus, Fold, Split, Utterance
from emelia.corpora.splits.audit import audit, audit_lines
from emelia.corpora.splits.scheme import make_split


def clip(name: str, speaker: str = UNKNOWN_SPEAKER, corpus: str = "", said: str = "") -> Utterance:
    return Utterance(name, Path(name), "fear", speaker, said, digest=name, corpus=corpus)


def told(*parts: tuple[Utterance, ...], added: tuple[Corpus, ...] = ()) -> dict:
    (found,) = audit(Split("own", "", (Fold("1", *parts),), added=added))
    return found


def test_a_single_clip_of_an_unknown_speaker_is_told_and_counted() -> None:
    found = told((clip("a"), clip("b", "1")), (clip("c", "2"),), (clip("d", "3"),))
    assert found["nameless"] == {"train": 1}
    assert found["text"].startswith("speakers disjoint; speakers of 1 clip unknown; ")


def test_clips_of_unknown_speakers_are_told_by_corpus() -> None:
    found = told((clip("a", corpus="x"), clip("b", "1")), (clip("c"),), (clip("d", "3"),))
    assert found["nameless"] == {"train": 1, "validation": 1}
    assert "speakers of x unknown" in found["text"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_part_without_any_known_speaker_cannot_be_called_disjoint(place: int) -> None:
    parts = [(clip("a", "1"),), (clip("b", "2"),), (clip("c", "3"),)]
    parts[place] = (clip("d"),)
    assert told(*parts)["text"].startswith("speakers unknown; ")


def test_clips_that_were_added_to_training_are_counted() -> None:
    other = Corpus("other", Path(), (clip("x", "9"),))
    train = (clip("a", "1"), clip("other/x", "other/9", "other"), clip("other/y", "9", "other"))
    found = told(train, (clip("b", "2"),), (clip("c", "3"),), added=(other,))
    assert found["added"] == {"other": 2}
    assert found["text"].endswith("added to training: 2 clips of other")
    assert "added" not in told((clip("a", "1"),), (clip("b", "2"),), (clip("c", "3"),))


def test_folds_of_other_sizes_but_one_result_are_one_line() -> None:
    few = Fold("1", (clip("a", "1"),), (clip("b", "2"),), (clip("c", "3"),))
    many = Fold("2", (clip("a", "1"), clip("d", "1")), (clip("b", "2"),), (clip("c", "3"),))
    (line,) = audit_lines(audit(Split("own", "", (few, many))))
    assert line.startswith("all 2 folds (clips: train 1-2, validation 1, test 1): ")


def test_the_most_frequent_sentences_are_divided_first() -> None:
    """Else a fold gets two of them."""
    sizes = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 6, "g": 5, "h": 4}
    clips = tuple(
        Utterance(f"{emotion}{said}{n}", Path("x"), emotion, str(n % 3), said)
        for emotion in ("anger", "fear")
        for said, count in sizes.items()
        for n in range(count)
    )
    folds = make_split(Corpus("made", Path(), clips), "sentence").folds
    assert sorted(len(fold.test) for fold in folds) == [4, 6, 8, 10, 12]


def test_identical_audio_is_told_by_its_first_pair_and_how_many_more() -> None:
    a, b, again = clip("a", "1"), clip("b", "1"), replace(clip("c", "3"), digest="a")
    found = told((a, b), (clip("d", "2"),), (again,))
    assert "identical audio: a = c;" in found["text"] + ";"
    found = told((a, b), (clip("d", "2"),), (again, replace(clip("e", "3"), digest="b")))
    assert "identical audio: a = c and 1 more" in found["text"]
