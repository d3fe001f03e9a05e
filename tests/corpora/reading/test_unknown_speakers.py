"""Corpora with unknown speakers: they are not counted, and every figure warns of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_study import CLASSES, at_random, loso, study, utterances
from typer.testing import CliRunner

from emelia.cli import app
from emelia.config import AudioConfig, Card, FeatureConfig
from emelia.config.thresholds import Thresholds
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import UNKNOWN_SPEAKERS, Split, audit, make_split
from emelia.learn.export.card_figures import figures
from emelia.learn.export.temperature import Answers
from emelia.results import Cell, Study, studies
from emelia.show import tables
from emelia.show.card.page import _classes, _figures
from emelia.show.report import detail_tables, findings
from emelia.show.report.limitations import limitations
from emelia.show.report.page import write_report
from emelia.show.speakers import apart, heard_before, nameless, who

TINY = ("--epochs", "1", "--set", "model.width=2", "--set", "features.mels=16")


def unknown(clips: tuple[Utterance, ...], *known: str) -> tuple[Utterance, ...]:
    """The same clips of which only these speakers are known."""
    return tuple(u if u.speaker in known else replace(u, speaker=UNKNOWN_SPEAKER) for u in clips)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return study(at_random(unknown(utterances())))


@pytest.fixture(scope="module")
def anonymous(cells: list[Cell]) -> Study:
    (found,) = studies(cells)
    return found


def fold_of(split: Split) -> str:
    return str(audit(split)[0]["text"])


# The audit


def test_the_audit_counts_clips_of_unknown_speakers() -> None:
    (found,) = audit(at_random(unknown(utterances())))
    assert found["nameless"] == found["clips"]
    assert "speakers unknown" in found["text"] and "disjoint" not in found["text"]
    assert "nameless" not in audit(at_random(utterances()))[0]
    assert json.loads(json.dumps(found)) == found


def test_a_corpus_that_knows_some_is_not_said_to_be_disjoint_without_a_word() -> None:
    clips = unknown(utterances(), "1", "2", "3", "4", "5")
    assert "speakers of 30 clips unknown" in fold_of(at_random(clips))


# Figures and words


def test_unknown_speakers_are_not_counted(anonymous: Study) -> None:
    assert anonymous.best is not None
    assert nameless(anonymous) and not apart(anonymous) and not heard_before(anonymous)
    assert who(anonymous.best) == "unknown speakers"
    assert "of unknown speakers." in findings.headline(anonymous)
    assert tables.speakers(anonymous).rows == ()
    assert UNKNOWN_SPEAKERS in tables.main(anonymous).note and UNKNOWN_SPEAKERS in limitations(
        anonymous
    )
    assert not any("1 test speaker" in line for line in limitations(anonymous))


def test_unknown_speakers_are_not_compared_with_unseen_ones(anonymous: Study) -> None:
    others = detail_tables.elsewhere(anonymous)
    here = next(row for row in others.rows if "(here)" in row[0])
    assert here[2] == "unknown" and not any(row[2] == "unseen" for row in others.rows)
    (known,) = studies(study(loso(utterances())))
    assert apart(known) and not nameless(known)
    assert not detail_tables.random_against_apart([anonymous, known]).rows


def test_known_speakers_are_counted_and_the_others_mentioned() -> None:
    (found,) = studies(study(at_random(unknown(utterances(), "1", "2"))))
    assert found.best is not None and who(found.best) == "2 known speakers and unknown ones"
    assert [row[0] for row in tables.speakers(found).rows] == ["1", "2", "highest - lowest"]
    assert any("Only 2 test speakers" in line for line in limitations(found))


def test_the_report_says_so_at_the_top(cells: list[Cell], tmp_path: Path) -> None:
    markdown, page = (path.read_text("utf-8") for path in write_report(cells, tmp_path))
    for text in (markdown, re.sub(r"<[^>]+>", "", page)):
        assert text.index("Speakers unknown.") > 0 and UNKNOWN_SPEAKERS in text
        assert "1 speaker" not in text and "1 test speaker" not in text
    assert re.search(r"test speakers\s*</dt>\s*<dd[^>]*>\s*unknown", page)
    assert not list(tmp_path.glob("figures/*-speakers.png"))


def test_a_card_counts_no_unknown_speakers() -> None:
    rng = np.random.default_rng(0)
    truth, logits = rng.integers(0, 3, 40), rng.normal(size=(40, 3))
    ids, anonymous = tuple(map(str, range(40))), (UNKNOWN_SPEAKER,) * 40
    answers = Answers(ids, ("own",) * 40, anonymous, ("",) * 40, truth, logits)
    found = figures(answers, ("a", "b", "c"), 1.0, Thresholds(0.5))
    assert found["speakers"] == 0 and found["per_speaker"] == {} and found["nameless"] == 40
    assert "fewer than 6 test speakers are known" in found["note"]


def test_the_page_of_a_card_says_so() -> None:
    card = Card("own", ("a", "b"), FeatureConfig(), AudioConfig(), 1.0, 0.5)
    test = {
        "clips": 40, "speakers": 0, "nameless": 40, "accuracy": [0.5, 0.4, 0.6],
        "uar": [0.5, 0.4, 0.6], "note": "by clip",
        "per_class": {"a": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 40},
                      "b": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}},
    }  # fmt: skip
    text = _figures(replace(card, metrics={"test": test})) + _classes(
        replace(card, metrics={"test": test})
    )
    assert UNKNOWN_SPEAKERS in text and "| test | 40 | unknown |" in text
    assert "UAR is the mean recall of the classes with clips." in text
    assert "| b | – | – | – | 0 |" in text


# Classes without test clips


def without(split: Split, emotion: str) -> Split:
    folds = (
        replace(fold, test=tuple(u for u in fold.test if u.emotion != emotion))
        for fold in split.folds
    )
    return replace(split, folds=tuple(folds))


def test_a_class_without_test_clips_counts_in_no_mean_and_this_is_told(tmp_path: Path) -> None:
    found = study(without(loso(utterances()), "fear"))
    (one,) = studies(found)
    assert one.best is not None and one.best.untested == ("fear",)
    assert any("No test clips of fear" in line and "4 with clips" in line
               for line in limitations(one))  # fmt: skip
    assert "25.0 % UAR, which is what guessing reaches" in findings.findings(one)[0]
    matrix = one.best.confusion
    shares = matrix.diagonal()[matrix.sum(axis=1) > 0] / matrix.sum(axis=1)[matrix.sum(axis=1) > 0]
    assert one.best.uar == pytest.approx(shares.mean())
    by_class = {row[0]: row[1:] for row in detail_tables.classes(one.best).rows}
    assert by_class["fear"] == ("0", "–", "–", "–") and set(by_class) == set(CLASSES)
    text = write_report(found, tmp_path)[1].read_text("utf-8")
    assert re.search(r"guessing, UAR\s*</dt>\s*<dd[^>]*>\s*25.0 %", text)


def test_test_clips_of_one_class_show_no_skill() -> None:
    split = loso(utterances())
    for emotion in CLASSES[1:]:
        split = without(split, emotion)
    (one,) = studies(study(split))
    assert "guessing it is right always: it shows no skill" in findings.findings(one)[0]


# The command line


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two emotions of 24 clips each, numbered through."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for emotion in ("angry", "sad"):
        for number in range(24):
            path = tmp_path / "own" / emotion / f"{number:03}_{emotion}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal(8000), 16_000)
    yield tmp_path / "own"


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_every_command_says_that_the_figures_flatter(own: Path) -> None:
    corpus = read_corpus(own)
    assert corpus.speakers == (UNKNOWN_SPEAKER,)
    assert "Speakers: unknown." in run("corpora", own)
    for command in (
        ("train", "variable-3", own, "--split", "random-75-25"),
        ("study", own, "--recipes", "variable-3", "--split", "random-75-25", "--jobs", 1),
    ):
        said = run(*command, *TINY)
        assert UNKNOWN_SPEAKERS in said and "1 speaker" not in said
    again = run("evaluate", "runs/own-variable-3", own)
    assert "training may have seen the same voices" in again
    assert "other clips of these speakers" not in again


def test_joined_corpora_tell_whose_speakers_are_unknown(own: Path) -> None:
    for emotion in ("angry", "sad"):
        for number, name in enumerate(("ann", "ann", "bob", "bob")):
            path = own.parent / "people" / emotion / f"{name}_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sound = np.random.default_rng(hash_of(path.name) + len(emotion)).standard_normal(8000)
            soundfile.write(path, 0.1 * sound, 16_000)
    said = run("corpora", f"{own}+{own.parent / 'people'}")
    assert re.search(r"own +unknown", said) and re.search(r"people +2", said)


def hash_of(name: str) -> int:
    return sum(map(ord, name))


def test_speaker_splits_are_refused_and_random_ones_offered(own: Path) -> None:
    done = CliRunner().invoke(app, ["study", str(own)])
    assert done.exit_code != 0
    message = str(done.exception) + done.output
    assert "the speakers of this corpus are unknown" in message and "random-75-25" in message


def test_a_random_split_of_unknown_speakers_is_made(own: Path) -> None:
    corpus: Corpus = read_corpus(own)
    assert "speakers unknown" in fold_of(make_split(corpus, "random-75-25"))
