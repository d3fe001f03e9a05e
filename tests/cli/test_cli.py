"""The command line answers every mistake with one clear line, and loses nothing."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny import ROOT, child, epochs_in, figures, same, timeless, wait_for
from typer.testing import CliRunner

import emelia
from emelia.cli import app, main
from emelia.config import Recipe, all_settings
from emelia.corpora import CORPORA
from emelia.learn.study.recipes import all_recipes
from emelia.learn.training.runs import load_run
from emelia.results import Cell, read_results
from emelia.storage import lock

MakeCorpus = Callable[..., Path]
TINY = ("--set", "model.width=2", "--set", "features.mels=16", "--epochs", "2", "--jobs", "1")
COMMANDS = (
    "predict", "listen", "score", "adapt", "serve", "models", "demo",
    "study", "train", "finetune", "evaluate", "export", "corpora", "recipes", "report",
    "process", "tune",
)  # fmt: skip


@dataclass
class Answer:
    """What a command leaves behind."""

    code: int
    out: str
    err: str

    def refuses(self, code: int, *words: str) -> None:
        """Assert that it ended with one clear line that has all these words."""
        assert self.code == code, self.err
        assert "Traceback" not in self.err + self.out, self.err[-3000:]
        failures = [line for line in self.err.splitlines() if line.startswith("emelia: ")]
        assert len(failures) == 1, self.err
        assert self.err.endswith(f"{failures[0]}\n"), "nothing comes after it"
        for word in words:
            assert word in failures[0]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command as `emelia` does, in this process; what escapes it fails the test."""

    def command(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Answer(code, *capsys.readouterr())

    return command


Run = Callable[..., Answer]


@pytest.fixture
def corpus(small_corpus: MakeCorpus) -> Path:
    """Three speakers say two emotions twice."""
    return small_corpus()


def flat(text: str) -> str:
    """Text of a help page without its frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


# Finding one's way


def test_the_version_is_shown() -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"emelia {emelia.__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"})
    text = flat(answer.output)
    assert answer.exit_code == 0
    assert re.search(rf"Examples?: .*emelia {command}\b", text), text


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_of_a_help_end_where_the_terminal_does(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "70"})
    prose = [line.strip() for line in answer.output.partition("Example")[0].splitlines()]
    for line, after in pairwise(prose):
        if line and after:
            assert len(f" {line} {after.split()[0]} ") > 70, (line, after)


def test_the_help_names_every_command_and_where_to_start() -> None:
    answer = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"})
    text = flat(answer.output)
    assert all(f" {command} " in text for command in COMMANDS)
    assert "Start here: emelia demo clip.wav" in text
    assert "emelia predict clip.wav" in text and "emelia study --quick" in text


def test_an_unknown_command_is_a_mistake_of_use(run: Run) -> None:
    answer = run("learn")
    assert answer.code == 2
    assert "No such command 'learn'" in flat(answer.err) and "Traceback" not in answer.err


def test_all_recipes_are_listed(run: Run) -> None:
    answer = run("recipes")
    assert answer.code == 0
    for recipe in all_recipes().values():
        assert re.search(rf"^\s*{recipe.name} .*\b{recipe.group}\b", answer.out, re.MULTILINE)


def test_known_corpora_are_listed_with_their_home(run: Run) -> None:
    answer = run("corpora")
    assert answer.code == 0
    assert all(spec.name in answer.out and spec.homepage in answer.out for spec in CORPORA.values())


@pytest.mark.parametrize("columns", [80, 100, 140])
@pytest.mark.parametrize("words", [("recipes",), ("recipes", "--settings"), ("corpora",)])
def test_lists_fit_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], columns: int
) -> None:
    whole = run(*words).out  # in a pipe
    monkeypatch.setattr("emelia.console.width", lambda: columns)
    fitted = run(*words).out
    assert max(map(len, fitted.splitlines())) <= columns
    names = {line.split()[0] for line in whole.splitlines()[3:20] if line.strip()}
    assert all(name in fitted.split() for name in names)


def test_a_corpus_is_looked_at(run: Run, corpus: Path) -> None:
    answer = run("corpora", corpus)
    assert answer.code == 0
    for emotion, clips in (("anger", 6), ("disgust", 6), ("all", 12)):
        assert re.search(rf"^\s*{emotion} +{clips}\s*$", answer.out, re.MULTILINE)
    assert "Speakers: 1, 2, 3." in answer.out
    assert re.search(r"Splits: loso, folds-3\b", answer.out)


def test_a_crowd_of_speakers_is_counted_instead_of_named(
    run: Run, small_corpus: MakeCorpus
) -> None:
    folder = small_corpus(speakers=101, emotions=2, seconds=0.1)
    assert "Speakers: 1, 10, 100, ..., 99 (101 in all)." in run("corpora", folder).out


# A study


def test_a_study_is_trained_told_and_reported(run: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = ("study", corpus, "--recipes", "variable-3,variable-4", *TINY, "--out", out)
    answer = run(*study)
    assert answer.code == 0, answer.err
    assert "speakers disjoint" in answer.out  # the audit
    assert re.search(r"^\s*variable-3 .* 3/3\s*$", answer.out, re.MULTILINE)
    assert f"Report: {out / 'report.html'}" in answer.out
    assert {"results.jsonl", "report.html", "report.md", "cells"} <= set(os.listdir(out))
    before = (out / "results.jsonl").read_bytes()
    again = run(*study)
    assert again.code == 0
    assert "6 of 6 trainings were finished before and kept." in again.out
    assert (out / "results.jsonl").read_bytes() == before
    more = run(*study, "--seeds", "2")
    assert more.code == 0
    assert "6 of 12 trainings" in more.out
    told = re.findall(r"trainings: (\d+)/12", more.err)
    assert told and int(told[0]) >= 7, "what was finished before counts as done"
    assert (out / "results.jsonl").read_bytes().startswith(before)


def test_a_report_is_written_again_and_into_a_page(run: Run, corpus: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "results.md"
    assert run("study", corpus, "--recipes", "variable-3", *TINY, "--out", out).code == 0
    for name in ("report.md", "report.html"):
        (out / name).unlink()
    answer = run("report", out)
    assert answer.code == 0
    assert answer.out.splitlines()[:2] == [str(out / "report.md"), str(out / "report.html")]
    assert "variable-3" in (out / "report.md").read_text(encoding="utf-8")
    page.write_text("# Results\n\n<!-- begin loso -->\nstale\n<!-- end loso -->\n\nThe end.\n")
    answer = run("report", out / "results.jsonl", "--into", page, "--name", "loso")
    assert answer.code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n<!-- begin loso -->\n") and text.endswith("The end.\n")
    assert "| variable-3 |" in text and "stale" not in text


def test_a_report_of_nothing_says_so(run: Run, tmp_path: Path) -> None:
    run("report", tmp_path).refuses(1, "no finished training here", "emelia study")
    run("report", tmp_path / "gone.jsonl").refuses(1, "no such results", "emelia study")
    (tmp_path / "results.jsonl").touch()
    run("report", tmp_path).refuses(1, "no finished cells", "emelia study")
    run("report", tmp_path, "--into", tmp_path / "a.md").refuses(1, "no finished cells")
    assert not (tmp_path / "a.md").exists()


def test_a_recipe_that_fails_leaves_the_others_and_code_1(
    run: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, soaring = tmp_path / "out", tmp_path / "soaring.toml"
    soaring.write_text("[train]\nlr = 1e30\n")
    # Or it would be refused at once.
    monkeypatch.setattr("emelia.config.reading._check_alone", lambda *given: None)
    answer = run("study", corpus, "--recipes", f"variable-3,{soaring}", *TINY, "--out", out)
    answer.refuses(1, "3 trainings failed; the others are in", str(out))
    assert answer.err.count("warning: soaring fold") == 3
    assert answer.err.count("no longer a number") == 3
    assert {cell.recipe for cell in read_results(out)} == {"variable-3"}
    assert (out / "report.html").exists()


# Recipes


def test_every_setting_is_listed_with_its_default_and_meaning(run: Run) -> None:
    told = run("recipes", "--settings").out
    lines = told.splitlines()
    for name, about in all_settings(Recipe):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name} = "))
        meaning = itertools.takewhile(lambda line: line.startswith("    "), lines[at + 1 :])
        assert " ".join(line.strip() for line in meaning) == about.meaning
    assert 'audio.denoise = "none"  (none, quiet, founding)' in lines
    assert "augment.stretch_rate = [0.85, 1.15]  (0.25 to 4)" in lines
    assert max(map(len, lines)) <= 80


# Mistakes


BAD_WORDS: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "unknown recipe": (("--recipes", "variable-5"), 2, ("variable-5", "variable-", ".toml")),
    "no recipe": (("--recipes", ","), 2, ("no recipe given", "emelia recipes")),
    "no recipe file": (("--recipes", "gone.toml"), 2, ("gone.toml: no such recipe file",)),
    "unknown split": (("--split", "losso"), 1, ("losso", "loso", "Possible here: loso, folds-3")),
    "impossible split": (("--split", "folds-9"), 1, ("folds-9", "Possible here: loso, folds-3")),
    "unknown key": (("--set", "train.lrr=1"), 2, ("train.lrr", "did you mean train.lr?")),
    "no value": (("--set", "train.lr"), 2, ("expected key=value",)),
    "wrong type": (("--set", "train.lr=fast"), 2, ("train.lr", "'fast'", "a number")),
    "wrong choice": (("--set", "model.name=big"), 2, ("model.name", "variable, resized, emelia")),
    "no epochs": (("--set", "train.epochs=0"), 2, ("train.epochs", "1")),
    "no batch": (("--set", "train.batch_size=0"), 2, ("train.batch_size",)),
    "negative rate": (("--set", "train.lr=-1"), 2, ("train.lr",)),
    "dropout over 1": (("--set", "model.dropout=2"), 2, ("model.dropout",)),
    "no layers": (("--set", "model.layers=0"), 2, ("model.layers",)),
    "too many layers": (("--set", "model.layers=8", "--set", "features.mels=16"), 2, ("layers",)),
    "no hop": (("--set", "features.hop=0"), 2, ("features.hop",)),
    "long window": (("--set", "features.window=4096"), 2, ("features.window", "2048")),
    "no copies": (("--set", "augment.copies=0"), 2, ("augment.copies",)),
    "range downwards": (("--set", "augment.time_mask=[9, 3]"), 2, ("augment.time_mask",)),
    "unknown device": (("--device", "abacus", *TINY), 2, ("abacus", "cpu")),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BAD_WORDS)
def test_a_wrong_word_is_one_clear_line_before_any_training(
    mistake: str, run: Run, corpus: Path, tmp_path: Path
) -> None:
    words, code, expected = BAD_WORDS[mistake]
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.jsonl").write_text("")
    default = () if "--recipes" in words else ("--recipes", "variable-3")
    run("study", corpus, "--out", out, *default, *words).refuses(code, *expected)
    assert not (out / "cells").exists()
    assert (out / "results.jsonl").read_text() == ""


@pytest.mark.parametrize("option", ["--jobs", "--seeds", "--epochs"])
def test_none_at_all_is_a_mistake_of_use(option: str, run: Run, corpus: Path) -> None:
    answer = run("study", corpus, option, "0")
    assert answer.code == 2
    assert f"Invalid value for '{option}'" in flat(answer.err) and "Traceback" not in answer.err


def test_a_corpus_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    run("study", tmp_path / "gone").refuses(1, "gone: no such folder")
    run("study", "aesd").refuses(1, "aesd", "did you mean aesdd?")
    run("study", "aesdd").refuses(1, "give its folder", CORPORA["aesdd"].homepage)


@pytest.mark.parametrize("place", ["~nobody of this name/x", 300 * "a", "hf:~nobody/x/y"])
def test_a_place_that_no_system_takes_is_named(run: Run, place: str) -> None:
    run("study", place).refuses(1, place.removeprefix("hf:"), "no such")


def test_a_folder_is_no_name_for_a_model_file(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    run("export", tmp_path, "--name", "greek", "--out", ".").refuses(2, "ends with .onnx")


def test_an_empty_folder_is_no_corpus(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run("study", tmp_path / "empty").refuses(1, "empty: no recordings", "wav")


def test_one_class_is_nothing_to_learn(run: Run, small_corpus: MakeCorpus, tmp_path: Path) -> None:
    folder = small_corpus(emotions=1)
    run("study", folder, "--out", tmp_path / "out").refuses(1, "single class anger", "two or more")
    assert not (tmp_path / "out").exists()


def test_one_speaker_is_told_which_splits_are_possible(
    run: Run, small_corpus: MakeCorpus, tmp_path: Path
) -> None:
    folder = small_corpus(speakers=1, sentences=8, seconds=0.2)
    # A file name with the same speaker everywhere tells of no speakers; a manifest does.
    clips = sorted(folder.rglob("*.wav"))
    rows = [f"{c.relative_to(folder)},{c.parent.name},maria,{c.stem}" for c in clips]
    (folder / "manifest.csv").write_text("\n".join(["file,emotion,speaker,sentence", *rows]))
    refused = run("study", folder, "--out", tmp_path / "out")
    refused.refuses(
        1, "loso needs two speakers", "got 1", "Possible here: sentence, founding-70-20-10"
    )


def test_a_real_process_ends_so_too(tmp_path: Path) -> None:
    process = child("study", str(tmp_path / "gone"), cache=tmp_path / "cache")
    out, err = process.communicate(timeout=60)
    Answer(process.returncode, out, err).refuses(1, "gone: no such folder")
    assert out == ""


def test_a_damaged_line_of_results_is_named_and_left(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    results = tmp_path / "out" / "results.jsonl"
    results.parent.mkdir()
    results.write_text('{"key": 1}\n')
    study = ("study", corpus, "--recipes", "variable-3", *TINY, "--out", results.parent)
    run(*study).refuses(1, "results.jsonl, line 1", "Delete the line")
    assert results.read_text() == '{"key": 1}\n'


def test_a_folder_in_use_and_a_file_in_the_way_are_named(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    study = ("study", corpus, "--recipes", "variable-3", *TINY, "--out")
    with lock(tmp_path):
        run(*study, tmp_path).refuses(1, "another process is working here")
    (tmp_path / "file").write_text("kept")
    run(*study, tmp_path / "file").refuses(1, "a file stands where a folder should be")
    assert (tmp_path / "file").read_text() == "kept"


# Disks


@pytest.fixture
def small_disk(disk: Callable[[str], Path]) -> Path:
    """A disk of 8 MB of its own."""
    return disk("8m")


def fill(disk: Path, left: int) -> Path:
    """Fill a disk up to some bytes."""
    info = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(info.f_bavail * info.f_frsize - left))
    return filler


def test_a_full_disk_is_one_clear_line_and_loses_nothing(
    run: Run, corpus: Path, small_disk: Path
) -> None:
    out = small_disk / "out"
    study = ("study", corpus, *TINY, "--out", out, "--recipes")
    assert run(*study, "variable-3").code == 0
    before = (out / "results.jsonl").read_bytes()
    filler = fill(small_disk, left=4096)
    run(*study, "variable-3,variable-4").refuses(1, "the disk is full", "Free some space")
    assert (out / "results.jsonl").read_bytes() == before
    assert not list(out.rglob("*.part"))
    filler.unlink()
    answer = run(*study, "variable-3,variable-4")
    assert answer.code == 0 and "3 of 6 trainings" in answer.out
    assert (out / "results.jsonl").read_bytes().startswith(before)


def test_a_closed_folder_is_one_clear_line_and_loses_nothing(small_corpus: MakeCorpus) -> None:
    if not hasattr(os, "getuid"):
        pytest.skip("this system closes no folder by its mode")
    code = """
    import os, sys
    # Imports come first: nobody may not be allowed to read the packages.
    import emelia.learn.study.runner
    from emelia.cli import app, main
    from typer.testing import CliRunner
    CliRunner().invoke(app, ["recipes"])
    if os.getuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    sys.exit(main())
    """
    with tempfile.TemporaryDirectory() as reachable:  # tmp_path is not, for nobody
        place = Path(reachable)
        place.chmod(0o755)
        folder, out, cache = small_corpus(place / "corpus"), place / "out", place / "cache"
        for path in (out, cache):
            path.mkdir()
        cache.chmod(0o777)
        (out / "results.jsonl").write_text("")
        out.chmod(0o555)
        words = ["study", str(folder), "--recipes", "variable-3", *TINY, "--out", str(out)]
        settings = {"PYTHONPATH": str(ROOT / "src"), "EMELIA_CACHE": str(cache)}
        answer = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *words],
            env={**os.environ, **settings, "OMP_NUM_THREADS": "1"},
            cwd=place, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        found = Answer(answer.returncode, answer.stdout, answer.stderr)
        found.refuses(1, f"{out}: no permission to write here", "choose another folder")
        assert os.listdir(out) == ["results.jsonl"]
        assert (out / "results.jsonl").read_text() == ""


# One training by hand

EVERYTHING = """
[features]
mels = 16
[augment]
copies = 2
pitch_semitones = [0.0, 0.0]
stretch_rate = [1.0, 1.0]
mask_probability = 0.5
frequency_mask = [1, 3]
time_mask = [1, 4]
[model]
width = 2
dropout = 0.4
[train]
epochs = 60
patience = 0
batch_size = 4
lr = 0.01
optimizer = "adamw"
schedule = "cosine"
warmup = 0.1
label_smoothing = 0.1
"""


def test_a_training_stopped_and_killed_equals_an_unbroken_one(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    recipe, whole, cut = tmp_path / "everything.toml", tmp_path / "whole", tmp_path / "cut"
    recipe.write_text(EVERYTHING)
    train = ("train", str(recipe), str(corpus), "--split", "loso", "--out")

    process = child(*train, str(cut), cache=tmp_path / "cache")
    wait_for(lambda: epochs_in(cut) >= 3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == (
        f"warning: stopped early. The best epoch so far is in {cut}; --resume goes on."
    )
    best = load_run(cut)
    stopped = epochs_in(cut)
    assert 3 <= stopped < 50, "stopped in the middle, or this would prove nothing"
    assert best.about["interrupted"] and 1 <= best.about["best_epoch"] <= stopped
    assert len((cut / "history.jsonl").read_text().splitlines()) == stopped

    run(*train, cut).refuses(1, "holds an unfinished training", "--resume")
    run(*train, cut, "--resume", "--fold", "2").refuses(1, "is of another training")
    run(*train, cut, "--resume", "--seed", "1").refuses(1, "is of another training")
    assert epochs_in(cut) == stopped

    process = child(*train, str(cut), "--resume", cache=tmp_path / "cache")
    wait_for(lambda: epochs_in(cut) >= stopped + 3, process)
    process.kill()
    process.communicate(timeout=60)
    assert stopped < epochs_in(cut) < 60

    assert run(*train, cut, "--resume").code == 0
    assert run(*train, whole).code == 0
    found, expected = (
        Cell.from_json((folder / "result.json").read_text()) for folder in (cut, whole)
    )
    assert figures(found) == figures(expected)
    assert same(load_run(cut).network.state_dict(), load_run(whole).network.state_dict())
    histories = [
        timeless([json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()])
        for folder in (cut, whole)
    ]
    assert histories[0] == histories[1] and len(histories[0]) == 60
    assert not (cut / "checkpoint.safetensors").exists()
    run(*train, cut).refuses(1, "holds a finished training", "another --out")
    run(*train, cut, "--resume", "--seed", "1").refuses(1, "holds a finished training")

    before = (cut / "result.json").read_bytes()
    left = [cut / "report.html", *(cut / "figures").iterdir()]
    for path in left:
        path.unlink()
    (cut / "checkpoint.safetensors").touch()
    answer = run(*train, cut, "--resume")
    assert answer.code == 0, "killed before its page was written, it leaves the page now"
    assert all(path.exists() for path in left) and not (cut / "checkpoint.safetensors").exists()
    assert (cut / "result.json").read_bytes() == before


def test_ctrl_c_before_the_first_epoch_promises_nothing(
    run: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emelia.learn.data.loader import Loader

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    train = ("train", "variable-3", corpus, *TINY[:-2], "--out", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "training", stop)
        answer = run(*train)
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == (
        "warning: stopped before the first epoch was over: there is nothing to keep yet."
    )
    assert run(*train, "--resume").code == 0


@pytest.fixture
def trained(run: Run, corpus: Path, tmp_path: Path) -> Path:
    """A run that has seen two of the three speakers."""
    train = ("train", "variable-3", corpus, *TINY[:-2], "--fold", "1", "--out", tmp_path / "run")
    answer = run(*train)
    assert answer.code == 0, answer.err
    assert "variable-3 on corpus: 4 test clips" in answer.out
    assert re.search(r"accuracy \d+\.\d % \(.* 95 % intervals", answer.out)
    assert re.search(r"ECE \d+\.\d % \(.* would be perfect\), Brier score \d\.\d{3}", answer.out)
    return tmp_path / "run"


def test_evaluating_leaves_out_what_was_heard(
    run: Run, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "answers.json"
    answer = run("evaluate", trained, corpus, "--out", out)
    assert answer.code == 0, answer.err
    assert "8 clips left out: training or the choice of the epoch has seen them." in answer.err
    assert "variable-3 on corpus: 4 clips" in answer.out
    written = json.loads(out.read_text())
    assert written["classes"] == ["anger", "disgust"]
    test = Cell.from_json((trained / "result.json").read_text()).predictions
    assert [a["id"] for a in written["answers"]] == [p["id"] for p in test]
    for ours, theirs in zip(written["answers"], test, strict=True):
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=2e-4)


def test_evaluating_tells_what_confidence_is_worth(run: Run, trained: Path, corpus: Path) -> None:
    from emelia.learn.export.calibrate import threshold
    from emelia.learn.export.temperature import read_answers, temperature
    from emelia.metrics import risk_coverage

    parts = read_answers(trained, 2)
    heat = temperature(parts["validation"])
    limit = threshold(parts["validation"], heat).limit
    chances = parts["test"].probabilities(heat)
    out = " ".join(run("evaluate", trained, corpus).out.split())
    area = risk_coverage(parts["test"].truth, chances).area
    assert f"temperature of {heat:g}" in out and f"AURC {100 * area:.1f} %" in out
    accepted = 100 * (chances.max(axis=1) >= limit).mean()
    assert f"threshold of {limit:g} it accepts {accepted:.1f} % of the answers" in out
    (trained / "answers.json").unlink()
    answer = run("evaluate", trained, corpus)
    assert answer.code == 0 and "ECE" not in answer.out
    assert "nothing is said of its confidence" in answer.err


def test_evaluating_counts_emotions_the_run_does_not_know_and_clips_under_other_names(
    run: Run, trained: Path, small_corpus: MakeCorpus, tmp_path: Path
) -> None:
    other = small_corpus(tmp_path / "other", speakers=4, emotions=3, sentences=3)
    for clip in other.rglob("*_0*.wav"):  # the same sound, not the same name
        clip.rename(clip.with_stem(clip.stem.replace("_0", "_1")))
    answer = run("evaluate", trained, other)
    assert answer.code == 0, answer.err
    assert "8 clips left out: training or the choice of the epoch has seen them." in answer.err
    assert "12 clips of fear left out: the run does not know it." in answer.err
    assert "variable-3 on other: 16 clips" in answer.out  # 36 - 8 - 12
    assert "other clips of these speakers: the figures flatter" in answer.err


def test_where_nothing_is_left_to_ask_evaluating_says_so(
    run: Run, trained: Path, small_corpus: MakeCorpus, tmp_path: Path
) -> None:
    other = small_corpus(tmp_path / "other", emotions=3)
    for clip in [*other.glob("anger/*"), *other.glob("disgust/*")]:
        clip.unlink()
    run("evaluate", trained, other).refuses(1, "none of its 6 clips", "anger or disgust")


def test_evaluating_no_run_or_a_run_without_memory_says_so(
    run: Run, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    run("evaluate", tmp_path / "gone", corpus).refuses(1, "gone: no such run folder")
    about = json.loads((trained / "run.json").read_text())
    del about["heard"]
    (trained / "run.json").write_text(json.dumps(about))
    run("evaluate", trained, corpus).refuses(1, "does not say", "Train it again")


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("founding",), 2, ("'founding' names 6 recipes", "train takes one")),
        (("variable-3", "--fold", "9"), 1, ("no fold '9'", "1, 2, 3")),
        (("variable-3", "--precision", "half"), 2, ("half", "bf16-mixed")),
        (("variable-3", "--precision", "16-true"), 2, ("16-true", "bf16-mixed")),
        (("variable-3", "--device", "abacus"), 2, ("abacus", "cpu")),
    ],
)
def test_training_refuses_a_wrong_word_in_one_line(
    words: tuple[str, ...], code: int, expected: tuple[str, ...], run: Run, corpus: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    recipe, *rest = words
    answer = run("train", recipe, corpus, *rest, *TINY[:-2], "--out", tmp_path / "run")
    answer.refuses(code, *expected)
    assert not (tmp_path / "run" / "run.json").exists()
