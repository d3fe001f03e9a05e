"""Corpora of one clip, one class, one or two speakers: what is told is true, what is next works."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emelia import console
from emelia.cli import main
from emelia.cli.commands.study import _usual_split
from emelia.cli.next_steps import quick_study
from emelia.corpora import read_corpus
from emelia.corpora.records import Corpus
from emelia.corpora.seen import none_left

MakeCorpus = Callable[..., Path]
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as a person would; return what it says, on one line."""
    monkeypatch.setattr(console, "for_people", lambda: True)

    def command(*words: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        with contextlib.suppress(SystemExit):
            main()
        said = capsys.readouterr()
        return " ".join(f"{said.out} {said.err}".split())

    return command


def answers(folder: Path, *truths: str) -> Path:
    """A table of answers that are all anger."""
    rows = [f"{i}.wav,{truth},anger,0.8,0.2" for i, truth in enumerate(truths)]
    path = folder / "answers.csv"
    path.write_text("\n".join(["file,truth,answer,anger,fear", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("clips", [1, 3])
def test_figures_of_one_class_show_no_skill_and_say_so(
    run: Run, tmp_path: Path, clips: int
) -> None:
    table = answers(tmp_path, *["anger"] * clips)
    said = run("evaluate", table, "--report", tmp_path / "page")
    assert "of one class, so that these figures show no skill" in said
    assert "Guessing" not in said and "finetune" not in said and " 1 clips" not in said
    page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    assert "so that this shows no skill" in page and " 1 clips" not in page


def test_figures_of_two_classes_are_set_against_guessing(run: Run, tmp_path: Path) -> None:
    said = run("evaluate", answers(tmp_path, "anger", "fear"), "--report", tmp_path / "page")
    assert "Guessing reaches a UAR of 50.0 %" in said and "no skill" not in said


@pytest.mark.parametrize(
    ("speakers", "emotions", "reason"),
    [(1, 2, "the speakers of this corpus are unknown"), (3, 1, "has the single class anger")],
)
def test_where_no_split_is_possible_the_reason_is_told_and_no_study_suggested(
    run: Run, small_corpus: MakeCorpus, speakers: int, emotions: int, reason: str
) -> None:
    said = run("corpora", small_corpus(speakers=speakers, emotions=emotions))
    assert f"Splits: none; {reason}" in said
    assert "study" not in said and "emelia explore" in said


def test_a_quick_study_is_suggested_by_a_split_that_the_corpus_allows(
    small_corpus: MakeCorpus, tmp_path: Path
) -> None:
    known = read_corpus(small_corpus())
    ((command, *rest),) = quick_study(known, Path("a"))
    assert command == "emelia study --quick" and rest == [Path("a")]
    unknown = read_corpus(small_corpus(tmp_path / "b", sentences=8), speakers_from="none")
    ((_, *words),) = quick_study(unknown, Path("b"))
    assert words[0] == "--split" and words[1] in {"founding-70-20-10", "random-75-25"}


@pytest.mark.parametrize(("speakers", "split"), [(2, "loso"), (3, "folds-3")])
def test_a_quick_study_of_two_speakers_leaves_each_out(
    small_corpus: MakeCorpus, speakers: int, split: str
) -> None:
    corpus = read_corpus(small_corpus(speakers=speakers), speakers_from=r"(\d)_\d+\.wav")
    assert _usual_split(corpus, quick=True) == split
    assert _usual_split(corpus, quick=False) == "loso"


def test_where_no_clip_can_be_asked_about_it_is_told_why(small_corpus: MakeCorpus) -> None:
    corpus: Corpus = read_corpus(small_corpus())
    assert "training has seen its 12 clips" in none_left(corpus, (), ("anger",))
    other = none_left(corpus, corpus.utterances, ("calm", "joy"))
    assert "expected calm or joy" in other and "anger and disgust" in other
