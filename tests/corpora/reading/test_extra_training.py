"""Corpora added to training: to no other part, without test clips, and named in every result."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch")

from emelia.cli import app
from emelia.config import Recipe
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.reading.extra_training import add_to_training
from emelia.corpora.reading.joining import join
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.imbalance import imbalanced
from emelia.corpora.splits.scheme import Split, audit, audit_lines, make_split
from emelia.errors import CorpusError
from emelia.learn.export.parity import recordings
from emelia.learn.study.tasks import StudyData, Task, tasks
from emelia.results import read_results, studies
from emelia.show.report.recordings import places_of

TINY = ("--epochs", "1", "--set", "model.width=2", "--set", "features.mels=16")


def made(
    name: str, speakers: int = 4, emotions: Sequence[str] = ("anger", "fear"), sentences: int = 3
) -> Corpus:
    """A corpus without files."""
    clips = tuple(
        Utterance(
            f"{emotion}/{who}_{n}.wav", Path(name, f"{emotion}/{who}_{n}.wav"), emotion, str(who),
            sentence=str(n), digest=f"{name}{emotion}{who}{n}",
        )
        for emotion in emotions
        for who in range(speakers)
        for n in range(sentences)
    )  # fmt: skip
    return Corpus(name, Path(name), clips)


def added(corpus: Corpus, *others: Corpus, split: str = "loso") -> Split:
    return add_to_training(
        make_split(corpus, split), corpus, join(others) if len(others) > 1 else others[0]
    )


def test_others_are_only_trained_on_and_what_was_there_stays() -> None:
    home = made("home")
    before, after = make_split(home, "loso"), added(home, made("one"), made("two", 2))
    for plain, fold in zip(before.folds, after.folds, strict=True):
        assert (fold.name, fold.validation, fold.test) == (plain.name, plain.validation, plain.test)
        assert fold.train[: len(plain.train)] == plain.train
        more = fold.train[len(plain.train) :]
        assert Counter(u.corpus for u in more) == {"one": 24, "two": 12}
        assert all(u.id.startswith(f"{u.corpus}/") for u in more)
        assert all(u.speaker.startswith(f"{u.corpus}/") for u in more)


def test_the_name_and_the_protocol_tell_what_is_added() -> None:
    home = made("home")
    split = added(home, made("one"), made("two"), made("three"))
    assert split.name == "loso+one+two+three"
    assert split.protocol == (
        "Leave one speaker out, 4 folds; the next speaker validates; "
        "one, two and three are added to training."
    )
    assert added(home, made("one")).protocol.endswith("validates; one is added to training.")


def test_only_clips_of_the_classes_of_the_corpus_are_added() -> None:
    split = added(made("home"), made("one", emotions=("anger", "boredom", "sadness")))
    assert {u.emotion for u in split.folds[0].train if u.corpus} == {"anger"}
    assert [len(corpus.utterances) for corpus in split.added] == [12]


def test_a_recording_of_the_corpus_itself_is_never_added() -> None:
    home, other = made("home"), made("other")
    copied = (replace(other.utterances[0], digest=home.utterances[5].digest), *other.utterances[1:])
    split = added(home, replace(other, utterances=copied))
    assert len(split.added[0].utterances) == 23
    assert all("no identical audio" in found["text"] for found in audit(split))


def test_the_audit_tells_what_was_added_and_that_no_test_speaker_was_heard() -> None:
    split = added(made("home"), made("one"), made("two", 2))
    for found in audit(split):
        assert found["added"] == {"one": 24, "two": 12}
        assert found["text"] == (
            "speakers disjoint; 3 of 3 sentences shared; no identical audio; "
            "added to training: 24 clips of one, 12 clips of two"
        )
    assert json.loads(json.dumps(audit(split))) == audit(split)
    assert len(audit_lines(audit(split))) == 1
    assert "added" not in audit(make_split(made("home"), "loso"))[0]


def test_the_audit_does_not_call_unknown_speakers_disjoint() -> None:
    other = made("other")
    unknown = tuple(replace(u, speaker=UNKNOWN_SPEAKER) for u in other.utterances)
    found = audit(added(made("home"), replace(other, utterances=unknown)))[0]
    assert found["text"].startswith("speakers disjoint; speakers of other unknown;")


@pytest.mark.parametrize(
    ("home", "others", "message"),
    [
        (made("home"), [made("home")], "home: cannot be added to home, which has it already"),
        (made("home"), [made("one"), made("home")], "home: cannot be added to home"),
        (join([made("a"), made("b")]), [made("b")], r"b: cannot be added to a\+b"),
        (made("home"), [made("one", emotions=("boredom", "sadness"))], "one: has nothing to add"),
        (made("home"), [made("one"), replace(made("home"), name="copy")], "copy: has nothing"),
    ],
)
def test_what_cannot_be_added_is_told(home: Corpus, others: list[Corpus], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        added(home, *others)


def test_imbalance_makes_all_of_training_unequal() -> None:
    split = imbalanced(added(made("home"), made("one")), 4)
    assert split.name == "loso+one-imbalance-4"
    assert sorted(Counter(u.emotion for u in split.folds[0].train).values()) == [4, 18]
    assert sum(audit(split)[0]["added"].values()) < 24


# Cells and runs


def first(corpus: Corpus, split: Split) -> Task:
    return tasks(corpus, split, [Recipe("variable-3")], [0])[0]


def test_a_cell_with_additions_has_another_key_and_depends_on_what_is_added() -> None:
    home, other = made("home"), made("other")
    changed = (replace(other.utterances[0], emotion="fear"), *other.utterances[1:])
    keys = {
        first(home, split).key
        for split in (
            make_split(home, "loso"), added(home, other), added(home, other, made("more")),
            added(home, replace(other, utterances=changed)),
        )
    }  # fmt: skip
    assert len(keys) == 4


def test_the_key_of_a_cell_without_additions_is_what_it_always_was() -> None:
    assert first(made("home"), make_split(made("home"), "loso")).key == "11949f18"


def test_a_run_knows_what_was_added() -> None:
    home = made("home")
    data = StudyData.of(home, added(home, made("one"), made("two", 2)))
    assert (data.corpus, data.corpus_digest) == ("home", home.digest)
    assert data.places == ("home", "one", "two")
    assert [(c["name"], c["clips"]) for c in data.corpora] == [
        ("home", 24), ("one", 24), ("two", 12),
    ]  # fmt: skip
    assert list(data.added) == ["one", "two"]


# The whole way


@pytest.fixture
def places(small_corpus: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A corpus of anger and disgust, and one that has fear, too, in a folder called other."""
    home = small_corpus(tmp_path / "home", sentences=2)
    other = tmp_path / "other"
    small_corpus(other, speakers=2, emotions=3, sentences=3, seconds=0.5)
    return home, other


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_a_study_with_additions_is_another_study_of_the_same_corpus(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home, other = places
    study = ("study", home, "--recipes", "variable-3", "--jobs", "1", *TINY)
    answer = run(*study, "--with", other, "--set", "train.target_share=0.5")
    assert answer.exit_code == 0, answer.output
    assert "Added to training" in answer.output
    assert "other is added to training." in answer.output
    (found,) = studies(read_results(tmp_path / "runs" / "home-loso+other"))
    assert (found.sample.corpus, found.sample.split) == ("home", "loso+other")
    assert found.sample.classes == ("anger", "disgust")
    assert [cell.train_clips for cell in found.rows[0].cells] == [4 + 12] * 3
    tested = {clip for _, clip in found.rows[0].ids}
    assert tested == {u.id for u in read_corpus(home).utterances}


def test_a_run_finds_the_recordings_of_what_it_tests_and_of_what_was_added(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    home, other = places
    out = tmp_path / "study" / "cells" / "one"
    answer = run("train", "variable-3", home, "--with", other, "--out", out, "--fold", "2", *TINY)
    assert answer.exit_code == 0, answer.output
    about = json.loads((out / "run.json").read_text())
    found = recordings(about)
    assert {part: len(paths) for part, paths in found.items()} == {
        "train": 16, "validation": 4, "test": 4,
    }  # fmt: skip
    assert {path.parents[1] for path in found["train"].values()} == {home, other}
    assert {path.parents[1] for path in found["test"].values()} == {home}
    assert places_of([out.parents[1] / "results.jsonl"]) == [str(home)]


def test_mistakes_end_in_one_line_that_names_them(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    home, other = places
    for where, message in {
        home: "home: cannot be added to home, which has it already",
        f"{other}+{other}": "other is named more than once",
        f"{other}+": "expected a place on either side of each +",
        tmp_path / "gone": "gone: no such folder",
    }.items():
        with pytest.raises(CorpusError, match=re.escape(message)):
            run("study", home, "--with", where)


@pytest.mark.slow
def test_the_real_ones_are_added_to_aesdd(
    corpora: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMELIA_CORPORA", str(corpora("aesdd").parent))
    for name in ("emodb", "ravdess"):
        corpora(name)
    home = read_corpus("aesdd")
    others = read_corpus("ravdess+emodb", emotions=home.emotions, complete=False)
    split = add_to_training(make_split(home, "loso"), home, others)
    assert split.name == "loso+ravdess+emodb"
    assert [len(corpus.utterances) for corpus in split.added] == [960, 375]
    assert {u.emotion for fold in split.folds for u in fold.train} == set(home.emotions)


def test_whoever_says_the_same_recording_is_the_same_person_in_what_is_added() -> None:
    home, other = made("home"), made("other")
    copied = (replace(other.utterances[0], digest=home.utterances[0].digest), *other.utterances[1:])
    split = added(home, replace(other, utterances=copied))
    heard = {fold.name: {u.speaker for u in fold.train if u.corpus} for fold in split.folds}
    assert heard["0"] == {"0", "other/1", "other/2", "other/3"}
    texts = {found["fold"]: found["text"] for found in audit(split)}
    assert texts["0"].startswith("1 of 1 speakers shared")
