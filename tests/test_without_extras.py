"""Every command without the extras: it works, or one line names the extra to install."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import bare
import fake_study
import pytest
import soundfile
from conftest import voice
from test_architecture import MODULES

from emelia.cli import _HOMES
from emelia.packages import TRAINING

TRAIN, PLOTS = "train", "plots"

# Each command's ways, the exit code, and the extra that is asked for; CLIP and CORPUS are there.
WAYS: dict[str, list[tuple[str, int, str]]] = {
    "predict": [
        ("CLIP", 0, ""),
        ("CLIP --format json", 0, ""),
        ("CLIP --timeline", 0, ""),
        ("CLIP --explain HERE/why.png", 1, PLOTS),
        ("CLIP --timeline --picture HERE/line.png", 1, PLOTS),
        ("CLIP.m4a", 1, "media"),
    ],
    "listen": [("--file CLIP --fast", 0, ""), ("", 1, "live"), ("--list-devices", 1, "live")],
    "score": [("CORPUS HERE/scores.csv", 0, ""), ("CORPUS HERE/scores.parquet", 1, "scale")],
    "serve": [("", 1, "serve")],
    "models": [("", 0, "")],
    "check": [("default", 0, "")],
    "stress": [("default CORPUS --out HERE/stress", 1, "stress")],
    "demo": [("HERE/demo.wav", 0, ""), ("HERE/sad.wav --emotion sadness", 1, "demo")],
    "study": [("CORPUS --out HERE/s", 1, TRAIN), ("--quick --out HERE/q", 1, TRAIN)],
    "train": [("emelia CORPUS --out HERE/t", 1, TRAIN)],
    "repeat": [("STUDY", 1, TRAIN)],
    "adapt": [("CORPUS --out HERE/s.json", 0, "")],
    "finetune": [("aesdd CORPUS --out HERE/f", 1, TRAIN)],
    "tune": [("emelia CORPUS --out HERE/u", 1, TRAIN)],
    "evaluate": [("aesdd CORPUS --report HERE/r", 0, ""), ("STUDY CORPUS", 1, TRAIN)],
    "export": [("HERE/run", 1, TRAIN)],
    "corpora": [
        ("", 0, ""),
        ("CORPUS", 0, ""),
        ("fetch", 2, ""),
        ("demo", 1, "demo"),
        ("hf:TABLE", 1, "datasets"),
    ],
    "explore": [("CORPUS --out HERE/e", 1, PLOTS)],
    "process": [("CLIP --out HERE/p", 1, PLOTS)],
    "recipes": [("", 0, "")],
    "weights": [("", 1, TRAIN)],
    "report": [("STUDY", 1, PLOTS)],
}


@pytest.fixture(scope="module")
def having(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The interpreter of an environment with some extras, which is made once."""
    return cache(lambda *extras: bare.environment(tmp_path_factory.mktemp("bare"), *extras))


@pytest.fixture
def python(having: Callable[..., Path]) -> Path:
    return having()


@pytest.fixture
def places(tmp_path: Path, small_corpus: Callable[..., Path]) -> dict[str, str]:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, voice(140.0, seconds=1.5, seed=0), 16_000)
    (tmp_path / "clip.wav.m4a").write_bytes(bytes(4) + b"ftypM4A " + bytes(400))
    (table := tmp_path / "table" / "data").mkdir(parents=True)
    (table / "train-00000-of-00001.parquet").write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    cells = fake_study.study(fake_study.loso(fake_study.utterances()), ["variable-3"], [0])
    lines = "".join(f"{cell.to_json()}\n" for cell in cells)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "results.jsonl").write_text(lines)
    return {
        "CLIP": str(clip),
        "CORPUS": str(small_corpus(tmp_path / "corpus", speakers=5, sentences=1)),
        "TABLE": str(table.parent),
        "STUDY": str(tmp_path / "study"),
        "HERE": str(tmp_path),
    }


def run(python: Path, command: str, way: str, places: dict[str, str]) -> tuple[int, str, str]:
    for name, place in places.items():
        way = way.replace(name, place)
    here = places.get("HERE")
    # No demo corpus that other tests have made.
    own = {**os.environ, "EMELIA_CACHE": f"{here}/cache"} if here else None
    done = bare.emelia(python, command, *way.split(), env=own)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    last = [line for line in done.stderr.splitlines() if line.startswith("emelia: ")]
    assert len(last) == (done.returncode != 0), done.stderr
    return done.returncode, done.stderr, "".join(last)


def asked_for(line: str) -> str:
    return line.partition("Run: pip install 'emelia[")[2].removesuffix("]'")


def test_the_environment_is_bare(python: Path) -> None:
    done = bare.emelia(python, "--version")
    assert done.returncode == 0, done.stderr
    for name in ("torch", "librosa", "matplotlib", "fastapi", "pyarrow", "sklearn", "yaml"):
        assert not list(python.parents[1].glob(f"lib/*/site-packages/{name}"))


def test_all_commands_are_tried() -> None:
    assert set(WAYS) == set(_HOMES)


@pytest.mark.parametrize(
    ("command", "way", "code", "extra"),
    [(name, *way) for name, ways in WAYS.items() for way in ways],
)
def test_a_command_without_extras(
    command: str, way: str, code: int, extra: str, python: Path, places: dict[str, str]
) -> None:
    returned, told, last = run(python, command, way, places)
    assert (returned, asked_for(last)) == (code, extra), told


ALL_HELP = """
import contextlib, io, sys
from emelia.cli import main
for command in sys.argv[1:]:
    sys.argv = ["emelia", command, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as told:
        try:
            code = main()
        except SystemExit as leaving:
            code = leaving.code
    if code or "Usage:" not in told.getvalue():
        print(command)
"""


def test_the_help_needs_no_extra(python: Path) -> None:
    done = subprocess.run([python, "-c", ALL_HELP, *WAYS], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


ONE_OF_TWO = [
    ("plots", "explore", "CORPUS --out HERE/e", "train"),
    ("plots", "process", "CLIP --out HERE/p", "train"),
]
SLOW = [  # to load torch takes seconds
    ("train", "tune", "emelia CORPUS --out HERE/u --trials 1", "tune"),
    ("train", "train", "emelia CORPUS --out HERE/t --track mlflow", "track"),
    ("train", "train", "emelia CORPUS --out HERE/t --track tensorboard", "track"),
    ("train", "train", "emelia CORPUS --out HERE/t --set model.encoder=hub:a/b", "transfer"),
]


@pytest.mark.parametrize(
    ("extra", "command", "way", "wanted"),
    [*ONE_OF_TWO, *(pytest.param(*way, marks=pytest.mark.slow) for way in SLOW)],
)
def test_a_command_with_one_extra_of_two(
    extra: str, command: str, way: str, wanted: str,
    having: Callable[..., Path], places: dict[str, str],
) -> None:  # fmt: skip
    returned, told, last = run(having(extra), command, way, places)
    assert (returned, asked_for(last)) == (1, wanted), told


def test_training_names_all_packages_that_learning_is_made_of() -> None:
    light = {"__future__", "emelia", "numpy", "soundfile", "soxr"}  # always there
    found: set[str] = set()
    for name, path in MODULES.items():
        if name.startswith("emelia.learn"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                found |= {n.split(".")[0] for n in names}
    assert found - light - sys.stdlib_module_names <= set(TRAINING)
