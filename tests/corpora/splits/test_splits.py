"""Splits: which clips are in which part, what parts must not share, and the audit."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, product
from pathlib import Path

import pytest

from emelia.corpora import read_corpus
from emelia.corpora.known.english import ravdess
from emelia.corpora.known.europe import aesdd
from emelia.corpora.records import PARTS, UNKNOWN_SPEAKER, Corpus, Utterance
from emelia.corpora.splits.scheme import (
    Fold,
    Split,
    audit,
    audit_lines,
    make_split,
    possible_splits,
)
from emelia.errors import SplitError

RANDOM = ("founding-70-20-10", "random-75-25", "author-80-20")


def made(
    speakers: Sequence[str] | int = 6,
    emotions: int = 3,
    sentences: int = 5,
    genders: str = "",
) -> Corpus:
    """A corpus without files: each speaker says each sentence in each emotion."""
    names = [f"{i:02}" for i in range(1, speakers + 1)] if isinstance(speakers, int) else speakers
    classes = ("anger", "fear", "sadness", "surprise")[:emotions]
    spoken = product(classes, range(len(names)), range(1, sentences + 1))
    utterances = [
        Utterance(
            id=f"{emotion}/{names[i]}_{sentence:02}.wav",
            path=Path(f"{emotion}/{names[i]}_{sentence:02}.wav"),
            emotion=emotion,
            speaker=names[i],
            sentence=f"{sentence:02}",
            gender=genders[i % len(genders)] if genders else "",
            digest=f"{emotion}{names[i]}{sentence}",
        )
        for emotion, i, sentence in spoken
    ]
    return Corpus("made", Path(), tuple(sorted(utterances, key=lambda u: u.id)))


def without(corpus: Corpus, drop: Callable[[Utterance], bool]) -> Corpus:
    return Corpus("made", Path(), tuple(u for u in corpus.utterances if not drop(u)))


def speakers(utterances: Sequence[Utterance]) -> set[str]:
    return {u.speaker for u in utterances}


def ids(fold: Fold) -> list[set[str]]:
    return [{u.id for u in part} for part in fold.parts().values()]


# What holds for every split


@pytest.mark.parametrize("name", ["loso", "folds-3", "folds-6", "sentence", *RANDOM])
def test_parts_share_no_clip_and_together_are_the_corpus(name: str) -> None:
    corpus = made()
    for fold in make_split(corpus, name).folds:
        parts = ids(fold)
        assert all(not a & b for a, b in combinations(parts, 2))
        assert set.union(*parts) == {u.id for u in corpus.utterances}
        assert all(list(part) == sorted(part, key=lambda u: u.id) for part in fold.parts().values())


@pytest.mark.parametrize("name", ["loso", "folds-3", "sentence"])
def test_every_clip_is_tested_once_over_the_folds(name: str) -> None:
    corpus = made()
    tested = Counter(u.id for fold in make_split(corpus, name).folds for u in fold.test)
    assert tested == Counter(u.id for u in corpus.utterances)


@pytest.mark.parametrize("name", ["loso", "folds-4", "sentence", *RANDOM])
def test_the_same_corpus_is_always_split_the_same_way(name: str) -> None:
    assert make_split(made(), name) == make_split(made(), name)


def test_only_the_authors_split_peeks_at_the_test() -> None:
    corpus = made()
    peeking = [
        name for name in possible_splits(corpus) if make_split(corpus, name).tests_every_epoch
    ]
    assert peeking == ["author-80-20"]


# Speakers


def test_loso_tests_each_speaker_and_validates_on_the_next() -> None:
    split = make_split(made(4), "loso")
    assert [fold.name for fold in split.folds] == ["01", "02", "03", "04"]
    assert [speakers(fold.test) for fold in split.folds] == [{"01"}, {"02"}, {"03"}, {"04"}]
    assert [speakers(fold.validation) for fold in split.folds] == [{"02"}, {"03"}, {"04"}, {"01"}]
    assert all(len(speakers(fold.train)) == 2 for fold in split.folds)


@pytest.mark.parametrize(("count", "validating"), [(11, 1), (12, 2), (24, 5)])
def test_loso_validates_on_a_fifth_of_many_speakers(count: int, validating: int) -> None:
    for fold in make_split(made(count, sentences=1), "loso").folds:
        assert len(speakers(fold.validation)) == validating
        assert len(speakers(fold.train)) == count - 1 - validating


def test_three_speakers_are_enough_and_the_protocol_tells_who_validates() -> None:
    three = make_split(made(3), "loso")
    assert [len(speakers(part)) for part in three.folds[0].parts().values()] == [1, 1, 1]
    assert three.protocol == "Leave one speaker out, 3 folds; the next speaker validates."
    assert "the next 3 speakers validate" in make_split(made(16), "loso").protocol


def test_speaker_folds_are_of_like_size_though_speakers_are_not() -> None:
    corpus = without(made(8), lambda u: u.speaker in "01 02 03" and u.sentence > "03")
    folds = make_split(corpus, "folds-4").folds
    sizes = [len(fold.test) for fold in folds]
    assert max(sizes) - min(sizes) <= 9  # the smallest speaker has nine clips
    assert all(
        len(speakers(fold.train) | speakers(fold.validation) | speakers(fold.test)) == 8
        for fold in folds
    )
    assert [fold.validation for fold in folds] == [fold.test for fold in [*folds[1:], folds[0]]]


def test_speaker_folds_have_women_and_men_in_each() -> None:
    for count in (3, 4, 5, 6):
        for fold in make_split(made(24, genders="mf", sentences=1), f"folds-{count}").folds:
            women = sum(u.gender == "f" for u in fold.test) / len(fold.test)
            assert 0.4 <= women <= 0.6


def test_a_list_of_ones_own_is_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('train = ["01", "02"]\nvalidation = ["05"]\ntest = ["03"]\n')
    split = make_split(made(5), f"list:{path}")
    (fold,) = split.folds
    assert [speakers(part) for part in fold.parts().values()] == [{"01", "02"}, {"05"}, {"03"}]
    assert split.protocol == (
        "The speakers listed in mine.toml: train 01, 02; validation 05; test 03; not used 04."
    )


def test_speakers_in_a_list_may_be_written_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("train = [1]\nvalidation = [2]\ntest = [3]\n")
    (fold,) = make_split(made(["1", "2", "3"]), f"list:{path}").folds
    assert speakers(fold.test) == {"3"}


def test_folds_of_ones_own_are_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('folds = [["01", "04"], ["02"], [3]]\n')
    split = make_split(made(["01", "02", "3", "04", "05"]), f"list:{path}")
    parts = [[speakers(part) for part in fold.parts().values()] for fold in split.folds]
    assert parts == [
        [{"3", "05"}, {"02"}, {"01", "04"}],
        [{"01", "04", "05"}, {"3"}, {"02"}],
        [{"02", "05"}, {"01", "04"}, {"3"}],
    ]
    assert split.protocol == (
        "The folds of speakers listed in mine.toml: 1 01, 04; 2 02; 3 3; always in training 05; "
        "the next fold validates."
    )


def test_emoboxs_folds_of_ravdess_test_each_actor_once() -> None:
    path = Path(__file__).parents[3] / "docs" / "splits" / "emobox-ravdess.toml"
    folds = make_split(made(24, sentences=1), f"list:{path}").folds
    assert [len(speakers(fold.test)) for fold in folds] == [4] * 6
    assert set.union(*(speakers(fold.test) for fold in folds)) == speakers(made(24).utterances)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('folds = [["01"], ["02"], ["9"]]', "speakers 9, who are not in"),
        ('folds = [["01"], ["02", "01"], ["03"]]', "speakers 01 more than once"),
        ('folds = [["01"], ["02"]]', "has folds; expected train ="),
        ('folds = ["01", "02", "03"]', "has folds; expected train ="),
        ('folds = [["01"], [], ["03"]]', "no clips in its"),
        ('folds = [["01"], ["02"], ["03"]]\ntest = ["04"]', "has folds, test; expected train ="),
        ('train = ["01"]\nvalidation = ["02"]\ntest = ["9", "8"]', "speakers 9, 8, who are not in"),
        ('train = ["01"]\nvalidation = ["02"]\ntest = ["01"]', "speakers 01 more than once"),
        ('train = ["01", "03"]\nvalidation = ["02"]\ntest = []', "no clips in its test part"),
        ('train = ["01"]\ntest = ["02"]', "has train, test; expected train ="),
        ('train = "01"\nvalidation = ["03"]\ntest = ["02"]', "expected train ="),
        ("train = [", "not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_does_not_fit_says_why(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SplitError, match=message):
        make_split(made(4), f"list:{path}")


# Sentences and chance


def test_sentence_folds_share_speakers_but_no_sentence() -> None:
    for fold in make_split(made(sentences=7), "sentence").folds:
        said = [{u.sentence for u in part} for part in fold.parts().values()]
        assert all(not a & b for a, b in combinations(said, 2))
        assert speakers(fold.test) == speakers(fold.train)


def test_the_founding_documents_split_is_70_20_10_and_stratified() -> None:
    (fold,) = make_split(made(10, emotions=4, sentences=10), "founding-70-20-10").folds
    assert [len(part) for part in fold.parts().values()] == [280, 80, 40]
    for part, each in zip(fold.parts().values(), (70, 20, 10), strict=True):
        assert set(Counter(u.emotion for u in part).values()) == {each}


def test_the_authors_split_is_scikit_learns_over_files_by_name() -> None:
    from sklearn.model_selection import train_test_split

    corpus = made(10, emotions=4, sentences=10)
    files = sorted(corpus.utterances, key=lambda u: (u.path.name, u.id))
    emotions = [u.emotion for u in files]
    rest, test = train_test_split(files, test_size=0.2, stratify=emotions, random_state=42)
    (fold,) = make_split(corpus, "author-80-20").folds
    assert {u.id for u in fold.test} == {u.id for u in test}
    assert {u.id for u in (*fold.train, *fold.validation)} == {u.id for u in rest}
    assert len(fold.validation) == len(rest) // 8


# What is impossible


def test_a_single_class_leaves_nothing_to_learn() -> None:
    for name in ("loso", "author-80-20"):
        with pytest.raises(SplitError, match=r"single class anger.*No split is possible"):
            make_split(made(emotions=1), name)
    assert possible_splits(made(emotions=1)) == []


@pytest.mark.parametrize("name", ["loso", "folds-3"])
def test_a_single_speaker_gets_the_splits_that_are_possible(name: str) -> None:
    message = "Possible here: sentence, founding-70-20-10, random-75-25, author-80-20."
    with pytest.raises(SplitError, match=message):
        make_split(made(1, sentences=12), name)
    with pytest.raises(
        SplitError, match="needs two speakers" if name == "loso" else "no more than"
    ):
        make_split(made(1, sentences=12), name)


def test_unknown_speakers_can_only_be_split_otherwise() -> None:
    corpus = made([UNKNOWN_SPEAKER], sentences=20)
    for name in ("loso", "folds-5"):
        with pytest.raises(
            SplitError, match=r"speakers of this corpus are unknown\. Possible here"
        ):
            make_split(corpus, name)
    assert possible_splits(corpus) == ["sentence", *RANDOM]


@pytest.mark.parametrize("name", ["folds-0", "folds-2", "folds-7"])
def test_folds_are_three_at_least_and_no_more_than_speakers(name: str) -> None:
    with pytest.raises(SplitError, match=r"3 folds or more.*of whom there are 6"):
        make_split(made(6), name)


def test_unknown_or_few_sentences_cannot_be_split() -> None:
    with pytest.raises(SplitError, match="sentence needs 5 sentences, got 4"):
        make_split(made(sentences=4), "sentence")
    corpus = made()
    silent = Utterance("z.wav", Path("z.wav"), "fear", "01")
    with pytest.raises(SplitError, match="not known for every clip"):
        make_split(Corpus("made", Path(), (*corpus.utterances, silent)), "sentence")


@pytest.mark.parametrize("name", RANDOM)
def test_classes_too_small_to_be_drawn_from_are_told(name: str) -> None:
    rare = without(made(), lambda u: u.emotion == "fear" and u.id != "fear/01_01.wav")
    with pytest.raises(SplitError, match=r"clips, 1 of them fear, are too few"):
        make_split(rare, name)


def test_a_quarter_is_drawn_five_times_and_each_draw_is_stratified() -> None:
    split = make_split(made(10, emotions=4, sentences=10), "random-75-25")
    assert [fold.name for fold in split.folds] == ["1", "2", "3", "4", "5"]
    assert len({frozenset(u.id for u in fold.test) for fold in split.folds}) == 5
    for fold in split.folds:
        assert [len(part) for part in fold.parts().values()] == [263, 37, 100]
        assert set(Counter(u.emotion for u in fold.test).values()) == {25}
    assert not split.tests_every_epoch
    assert split.protocol == (
        "5 draws of 75/25 stratified at random (random_state 42 to 46); an eighth of the 75 % "
        "validates; speakers and sentences are shared."
    )


def test_a_draw_of_a_quarter_is_scikit_learns() -> None:
    from sklearn.model_selection import train_test_split

    corpus = made(10, emotions=4, sentences=10)
    emotions = [u.emotion for u in corpus.utterances]
    for fold, seed in zip(make_split(corpus, "random-75-25").folds, range(42, 47), strict=True):
        _, test = train_test_split(
            corpus.utterances, test_size=0.25, stratify=emotions, random_state=seed
        )
        assert {u.id for u in fold.test} == {u.id for u in test}


def test_a_class_that_one_speaker_alone_has_cannot_be_learnt_from_others() -> None:
    corpus = without(made(4), lambda u: u.emotion == "fear" and u.speaker != "02")
    with pytest.raises(SplitError, match=r"fold 01 would have no fear|fold 02 would have no fear"):
        make_split(corpus, "loso")


def test_a_class_may_be_missing_from_the_test_and_the_audit_tells() -> None:
    corpus = without(made(4), lambda u: u.emotion == "fear" and u.speaker == "01")
    found = audit(make_split(corpus, "loso"))
    assert found[0]["missing"] == {"train": [], "validation": [], "test": ["fear"]}
    assert found[0]["text"].endswith("no fear in test")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("losso", r"no split is called 'losso'; did you mean loso\?"),
        ("xyz", r"there are loso, folds-K, loco, language, sentence, published, .*list:FILE.toml"),
        ("loco", "loco tests on each of several in turn, but this is a single corpus; join others"),
        ("language", "language tests on each of several in turn, but this is a single corpus"),
        ("folds-x", "no split is called"),
        ("published", "no published split is known"),
    ],
)
def test_a_split_that_does_not_exist_is_told(name: str, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        make_split(made(), name)


# The audit


def test_the_audit_counts_what_parts_have_and_share() -> None:
    found = audit(make_split(made(4), "loso"))
    assert json.loads(json.dumps(found)) == found
    first = found[0]
    assert first["fold"] == "01"
    assert first["clips"] == {"train": 30, "validation": 15, "test": 15}
    assert first["speakers"] == {"train": 2, "validation": 1, "test": 1}
    assert first["sentences"] == dict.fromkeys(PARTS, 5)
    assert set(first["shared"]) == {"train/validation", "train/test", "validation/test"}
    assert first["shared"]["train/test"] == {
        "speakers": [],
        "sentences": ["01", "02", "03", "04", "05"],
        "identical": [],
    }
    assert first["text"] == "speakers disjoint; 5 of 5 sentences shared; no identical audio"


def test_the_audit_tells_shared_speakers_and_identical_audio() -> None:
    def one(name: str, speaker: str, digest: str) -> Utterance:
        return Utterance(name, Path(name), "fear", speaker, digest=digest)

    fold = Fold(
        "1",
        (one("a", "1", "x"), one("b", "2", "y")),
        (one("c", "2", "z"),),
        (one("d", "3", "x"), one("e", "3", "y")),
    )
    (found,) = audit(Split("own", "", (fold,)))
    assert found["shared"]["train/test"]["identical"] == [["a", "d"], ["b", "e"]]
    assert found["shared"]["train/validation"]["speakers"] == ["2"]
    assert found["text"] == (
        "speakers of the test disjoint; sentences unknown; identical audio: a = d and 1 more"
    )


def test_the_audit_tells_speakers_that_validation_shares_with_the_test() -> None:
    def one(name: str, speaker: str) -> Utterance:
        return Utterance(name, Path(name), "fear", speaker, digest=name)

    fold = Fold("1", (one("a", "1"),), (one("b", "2"), one("c", "3")), (one("d", "3"),))
    (found,) = audit(Split("own", "", (fold,)))
    assert found["shared"]["validation/test"]["speakers"] == ["3"]
    assert found["shared"]["train/test"]["speakers"] == []
    assert found["text"].startswith("1 of 1 speakers shared")


@pytest.mark.parametrize("name", RANDOM)
def test_the_audit_of_a_random_split_tells_that_speakers_are_shared(name: str) -> None:
    for found in audit(make_split(made(), name)):
        assert re.match(r"(\d) of \1 speakers shared; (\d) of \2 sentences shared", found["text"])


def test_people_get_one_line_for_folds_that_are_alike() -> None:
    corpus = without(made(4), lambda u: u.speaker == "03" and u.sentence > "03")
    assert audit_lines(audit(make_split(made(4), "loso"))) == [
        "all 4 folds (clips: train 30, validation 15, test 15): "
        "speakers disjoint; 5 of 5 sentences shared; no identical audio"
    ]
    assert audit_lines(audit(make_split(corpus, "loso"))) == [
        "folds 01, 02, 04 (clips: train 24-30, validation 9-15, test 15): "
        "speakers disjoint; 5 of 5 sentences shared; no identical audio",
        "fold 03 (clips: train 30, validation 15, test 9): "
        "speakers disjoint; 3 of 3 sentences shared; no identical audio",
    ]


def all_of_ravdess() -> Corpus:
    """Every clip of it by name: neutral is never strong."""
    names = [
        f"03-01-{emotion:02}-{strength:02}-{sentence:02}-{take:02}-{actor:02}"
        for emotion, strength, sentence, take, actor in product(
            range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 25)
        )
        if (emotion, strength) != (1, 2)
    ]
    told = {name: ravdess.parse(Path(f"{name}.wav")) for name in names}
    clips = [
        Utterance(f"{name}.wav", Path(f"{name}.wav"), f.emotion, f.speaker, gender=f.gender)
        for name, f in told.items()
        if f is not None
    ]
    assert len(clips) == ravdess.SPEC.clips
    return Corpus("ravdess", Path(), tuple(clips))


# The real one


def test_aesdd_is_split_as_published(corpora: Callable[[str], Path]) -> None:
    corpus = read_corpus(corpora("aesdd"))
    (fold,) = make_split(corpus, "published").folds
    assert [len(part) for part in fold.parts().values()] == [298, 99, 207]
    assert speakers(fold.test) == set(aesdd.SPEC.published["test"]) == {"1", "5"}


def test_aesdd_has_the_sizes_of_the_founding_study(corpora: Callable[[str], Path]) -> None:
    corpus = read_corpus(corpora("aesdd"))
    (fold,) = make_split(corpus, "author-80-20").folds
    assert [len(part) for part in fold.parts().values()] == [423, 60, 121]
    (fold,) = make_split(corpus, "founding-70-20-10").folds
    assert [len(part) for part in fold.parts().values()] == [423, 121, 60]
    assert len(make_split(corpus, "loso").folds) == 6
    for fold in make_split(corpus, "random-75-25").folds:
        assert [len(part) for part in fold.parts().values()] == [397, 56, 151]


def test_ravdess_in_six_has_two_women_and_two_men_in_each() -> None:
    folds = make_split(all_of_ravdess(), "folds-6").folds
    tested = [sorted(speakers(fold.test)) for fold in folds]
    assert tested[0] == ["01", "02", "13", "14"]
    assert sorted(name for four in tested for name in four) == [f"{i:02}" for i in range(1, 25)]
    for fold in folds:
        who = Counter(gender for _, gender in {(u.speaker, u.gender) for u in fold.test})
        assert who == {"female": 2, "male": 2}
        assert len(fold.test) == 240


# The parts that a corpus comes with


def parted(parts: dict[str, str], speakers: bool = True) -> Corpus:
    """A corpus with an angry and a sad clip of each speaker, in the part given for them."""
    clips = [
        Utterance(f"{who}-{emotion}", Path(), emotion, who if speakers else UNKNOWN_SPEAKER, part=p)
        for who, p in parts.items()
        for emotion in ("anger", "sadness")
    ]
    return Corpus("own", Path(), tuple(clips))


def test_the_column_of_a_table_gives_the_parts() -> None:
    corpus = parted({"a": "train", "b": "validation", "c": "test", "d": "", "e": "train"})
    split = make_split(corpus, "column")
    (fold,) = split.folds
    speakers = [{u.speaker for u in part} for part in (fold.train, fold.validation, fold.test)]
    assert speakers == [{"a", "e"}, {"b"}, {"c"}]
    assert "2 clips have none and are not used" in split.protocol
    assert "column" in possible_splits(corpus)


@pytest.mark.parametrize("speakers", [True, False])
def test_some_of_the_training_part_validates_where_none_does(speakers: bool) -> None:
    parts = {**{f"s{n}": "train" for n in range(10)}, "t": "test"}
    (fold,) = make_split(parted(parts, speakers), "column").folds
    assert len(fold.train) + len(fold.validation) == 20 and fold.validation
    assert {u.id for u in fold.test} == {"t-anger", "t-sadness"}
    if speakers:
        assert not {u.speaker for u in fold.train} & {u.speaker for u in fold.validation}


def test_a_corpus_without_parts_cannot_be_split_by_them() -> None:
    corpus = parted({"a": "", "b": "", "c": "", "d": ""})
    with pytest.raises(SplitError, match="needs a column split with train and test"):
        make_split(corpus, "column")
    assert "column" not in possible_splits(corpus)


def test_of_two_speakers_each_trains_and_tests_once(small_corpus: Callable[..., Path]) -> None:
    split = make_split(read_corpus(small_corpus(speakers=2, sentences=5)), "loso")
    assert [fold.name for fold in split.folds] == ["1", "2"]
    for fold in split.folds:
        heard = {u.speaker for u in (*fold.train, *fold.validation)}
        assert {u.speaker for u in fold.test} == {fold.name} and heard.isdisjoint({fold.name})
        assert len(fold.validation) == 2 and len({u.emotion for u in fold.validation}) == 2
    assert "a fifth of the other speaker's clips" in split.protocol
