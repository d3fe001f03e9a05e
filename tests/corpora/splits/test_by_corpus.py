"""Splits of joined corpora that test on an unseen corpus or language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from emelia.corpora import CORPORA, read_corpus
from emelia.corpora.reading.joining import join, restrict
from emelia.corpora.records import UNKNOWN_SPEAKER, Corpus, Utterance
from emelia.corpora.splits.scheme import audit, make_split, possible_splits
from emelia.errors import SplitError


def made(
    name: str, speakers: int = 5, emotions: Sequence[str] = ("anger", "fear"), of: str = ""
) -> Corpus:
    """A corpus without files, women and men by turns; `of` is a known one whose language it has."""
    clips = tuple(
        Utterance(
            f"{emotion}/{who}_{n}.wav", Path(), emotion, f"{who:02}",
            gender=("female", "male")[who % 2], digest=f"{name}{emotion}{who}{n}",
        )
        for emotion in emotions
        for who in range(speakers)
        for n in range(2)
    )  # fmt: skip
    return Corpus(name, Path(), clips, spec=CORPORA.get(of))


def three() -> Corpus:
    """Two English ones and a German one."""
    return join(
        [made("one", 10, of="ravdess"), made("two", 4, of="savee"), made("b", 2, of="emodb")]
    )


def corpora_in(clips: Sequence[Utterance]) -> set[str]:
    return {u.corpus for u in clips}


def test_each_corpus_is_tested_whole_and_unheard() -> None:
    corpus = three()
    split = make_split(corpus, "loco")
    assert [fold.name for fold in split.folds] == ["one", "two", "b"]
    for fold in split.folds:
        assert {u.id for u in fold.test} == {
            u.id for u in corpus.utterances if u.corpus == fold.name
        }
        others = {"one", "two", "b"} - {fold.name}
        assert corpora_in(fold.train) == corpora_in(fold.validation) == others
    assert split.protocol == (
        "Leave one corpus out, 3 folds; of each other corpus a fifth of the speakers validates."
    )
    assert not split.tests_every_epoch


@pytest.mark.parametrize("name", ["loco", "language"])
def test_parts_share_no_speaker_and_together_are_all_clips(name: str) -> None:
    corpus = three()
    for fold in make_split(corpus, name).folds:
        parts = [{u.speaker for u in part} for part in fold.parts().values()]
        assert all(not a & b for a, b in combinations(parts, 2))
        assert sum(map(len, fold.parts().values())) == len(corpus.utterances)
        assert make_split(three(), name) == make_split(corpus, name)


@pytest.mark.parametrize(
    ("speakers", "validating"), [(2, 1), (5, 1), (7, 1), (8, 2), (10, 2), (24, 5), (91, 18)]
)
def test_a_fifth_of_the_speakers_of_a_corpus_validates(speakers: int, validating: int) -> None:
    corpus = join([made("large", speakers), made("small", 2)])
    fold = make_split(corpus, "loco").folds[1]
    assert len({u.speaker for u in fold.validation}) == validating


def test_women_and_men_validate() -> None:
    fold = make_split(join([made("large", 10), made("small", 2)]), "loco").folds[1]
    assert Counter(u.gender for u in fold.validation) == {"female": 4, "male": 4}


def test_each_language_is_tested_whole_and_unheard() -> None:
    split = make_split(three(), "language")
    assert [fold.name for fold in split.folds] == ["English", "German"]
    assert [corpora_in(fold.test) for fold in split.folds] == [{"one", "two"}, {"b"}]
    assert corpora_in(split.folds[1].validation) == {"one", "two"}
    assert split.protocol == (
        "Leave one language out, 2 folds: English (one, two), German (b); "
        "of each other corpus a fifth of the speakers validates."
    )


def test_corpora_of_several_languages_are_left_out_with_those_that_share_one() -> None:
    mixed = [made("a", of="emodb"), made("both", of="esd"), made("b", of="ravdess")]
    split = make_split(join(mixed), "language")
    assert [corpora_in(fold.test) for fold in split.folds] == [{"a"}, {"both", "b"}]
    assert [fold.name for fold in split.folds] == ["German", "English, Mandarin"]


def test_joined_corpora_can_be_split_by_corpus_and_by_language() -> None:
    assert {"loco", "language"} <= set(possible_splits(three()))
    assert not {"loco", "language"} & set(possible_splits(made("one")))


def test_the_audit_tells_that_the_corpus_was_not_heard() -> None:
    for name in ("loco", "language"):
        for found in audit(make_split(three(), name)):
            assert found["text"].startswith("corpora of the test disjoint; speakers disjoint;")
    assert all("corpora" not in found["text"] for found in audit(make_split(three(), "loso")))


def test_a_corpus_may_lack_a_class_in_the_test_and_the_audit_tells() -> None:
    whole = ("anger", "fear", "sadness")
    corpus = join([made("one", emotions=whole), made("two", emotions=whole), made("less")])
    found = audit(make_split(corpus, "loco"))
    assert [one["missing"]["test"] for one in found] == [[], [], ["sadness"]]


def test_a_class_that_one_corpus_alone_has_is_left_out_by_emotions() -> None:
    corpus = join([made("one", emotions=("anger", "fear", "sadness")), made("two")])
    with pytest.raises(SplitError, match=r"fold one would have no sadness.*--emotions chooses"):
        make_split(corpus, "loco")
    assert len(make_split(restrict(corpus, ["anger", "fear"]), "loco").folds) == 2


@pytest.mark.parametrize("name", ["loco", "language"])
def test_unknown_speakers_are_told_by_corpus(name: str) -> None:
    known, other = made("one", of="ravdess"), made("two", of="emodb")
    clips = tuple(replace(u, speaker=UNKNOWN_SPEAKER) for u in other.utterances)
    corpus = join([known, replace(other, utterances=clips)])
    possible = r"the speakers of two are unknown\. Possible here: founding"
    with pytest.raises(SplitError, match=possible):
        make_split(corpus, name)


def test_a_corpus_of_a_single_speaker_cannot_train_and_validate() -> None:
    with pytest.raises(SplitError, match=r"needs two speakers of each corpus.*got 1 of two"):
        make_split(join([made("one"), made("two", 1)]), "loco")
    corpus = join([made("one"), made("two"), made("rest", emotions=("boredom", "sadness"))])
    with pytest.raises(SplitError, match="got 0 of rest"):
        make_split(restrict(corpus, ["anger", "fear"]), "loco")


def test_one_language_or_an_unknown_one_cannot_be_left_out() -> None:
    with pytest.raises(SplitError, match=r"language tests on each .* all of a.b is English"):
        make_split(join([made("a", of="ravdess"), made("b", of="savee")]), "language")
    with pytest.raises(SplitError, match="what is spoken in own is not known"):
        make_split(join([made("a", of="ravdess"), made("own")]), "language")


@pytest.mark.slow
def test_the_real_corpora_are_left_out_in_turn(
    corpora: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMELIA_CORPORA", str(corpora("aesdd").parent))
    for name in ("emodb", "ravdess"):
        corpora(name)
    wanted = ["anger", "disgust", "fear", "happiness", "neutral", "sadness"]
    corpus = read_corpus("aesdd+emodb+ravdess", emotions=wanted)
    by_corpus, by_language = (make_split(corpus, name) for name in ("loco", "language"))
    assert [len(fold.test) for fold in by_corpus.folds] == [604, 454, 1248]
    assert [fold.name for fold in by_language.folds] == ["Greek", "German", "English"]
    assert audit(by_corpus)[0]["missing"]["test"] == ["neutral"]
    assert [fold.test for fold in by_language.folds] == [fold.test for fold in by_corpus.folds]


def test_a_corpus_of_two_languages_joins_those_of_either() -> None:
    mixed = [made("a", of="ravdess"), made("both", of="esd"), made("b", of="savee")]
    with pytest.raises(SplitError):  # all of them are one group
        make_split(join(mixed), "language")
    split = make_split(join([*mixed, made("c", of="emodb")]), "language")
    assert [corpora_in(fold.test) for fold in split.folds] == [{"a", "both", "b"}, {"c"}]
