"""Without a writable home folder: commands work, or one line says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bare
import pytest
import soundfile
from conftest import ROOT
from vowels import RATE, vowels

from emelia import caches
from emelia.errors import StorageError

NOISE = ("Traceback", "cannot cache", "temporary cache directory", "no locator", "MPLCONFIGDIR")
WAYS = [
    "predict CLIP",
    "predict CLIP --explain HERE/why.png",
    "listen --file CLIP --fast",
    "score CORPUS HERE/scores.csv",
    "models",
    "corpora",
    "corpora CORPUS",
    "recipes",
]
SLOW = [  # numba compiles all it needs each time
    "process CLIP --out HERE/p",
    "explore CORPUS --out HERE/e",
    "corpora demo",
    "train emelia CORPUS --epochs 1 --out HERE/t",
    "train artificial-variable-4 CORPUS --epochs 1 --out HERE/t",
    "export HERE/run --out HERE/run.onnx",
]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = bare.environment(tmp_path_factory.mktemp("all"), "train", "demo")
    bare.cannot_keep(made)
    return made


@pytest.fixture
def places(tmp_path: Path, small_corpus: Callable[..., Path]) -> dict[str, str]:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, vowels(), RATE)
    corpus = small_corpus(tmp_path / "corpus")
    return {"CLIP": str(clip), "CORPUS": str(corpus), "HERE": str(tmp_path)}


def run(python: Path, way: str, places: dict[str, str], tmp_path: Path) -> None:
    for name, place in places.items():
        way = way.replace(name, place)
    (tmp := tmp_path / "tmp").mkdir(exist_ok=True)
    done = bare.emelia(python, *way.split(), env=bare.homeless() | {"TMPDIR": str(tmp)})
    assert done.returncode == 0, done.stderr
    assert not [noise for noise in NOISE if noise in done.stdout + done.stderr], done.stderr
    # torch leaves an empty folder of its own, and a lock is for whoever comes next.
    left = [path.name for path in tmp.glob("emelia-*") if path.suffix != ".lock"]
    assert left == [], "what was temporary is still there"


@pytest.mark.parametrize("way", WAYS)
def test_a_command_works_without_a_home(
    way: str, python: Path, places: dict[str, str], tmp_path: Path
) -> None:
    run(python, way, places, tmp_path)


KEEP = """
import sys, numba
from pathlib import Path
import librosa
path = Path(librosa.__file__).parent / "core" / "notation.py"
names = {}
exec(compile("def same(x): return x", path, "exec"), names)
numba.njit(cache=True)(names["same"])  # numba looks for a place to keep it
"""
SETTLED = "from emelia.caches import set_numba_cache; set_numba_cache()"


@pytest.mark.parametrize(("before", "works"), [("", False), (SETTLED, True)])
def test_numba_finds_a_place(before: str, works: bool, python: Path) -> None:
    command = [python, "-c", before + KEEP]
    done = subprocess.run(command, env=bare.homeless(), capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == works, done.stderr
    assert works or "no locator available" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("way", SLOW)
def test_what_takes_longer_works_without_a_home(
    way: str, python: Path, places: dict[str, str], tmp_path: Path
) -> None:
    if "export" in way:
        run(python, "train emelia CORPUS --epochs 1 --out HERE/run", places, tmp_path)
    run(python, way, places, tmp_path)


def test_no_folder_is_made_that_is_called_by_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMELIA_CACHE")
    monkeypatch.setattr(os.path, "expanduser", str)  # as for a number without a name
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "EMELIA_SCRATCH"):
        monkeypatch.setenv(name, "")
    assert caches.cache_root() == caches.scratch()
    caches.set_matplotlib_cache()
    assert Path(os.environ["MPLCONFIGDIR"]).is_absolute()
    assert list(tmp_path.iterdir()) == []


# The cache


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMELIA_CACHE", "~/somewhere")
    assert caches.cache_root() == caches.persistent_cache() == Path.home() / "somewhere"
    monkeypatch.setenv("EMELIA_CACHE", "")
    assert caches.persistent_cache().name == "emelia"


def test_a_cache_that_can_be_written_lasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EMELIA_CACHE")
    monkeypatch.setattr(caches, "user_cache_path", lambda *_, **__: tmp_path / "emelia")
    assert caches.cache_root() == tmp_path / "emelia"


def test_processes_share_a_temporary_cache_and_it_goes_with_the_first(tmp_path: Path) -> None:
    child = "from emelia.caches import cache_root; print(cache_root())"
    code = (
        "import subprocess, sys; from emelia.caches import cache_root; print(cache_root())\n"
        "cache_root().joinpath('made').mkdir()\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
        "assert cache_root().joinpath('made').is_dir()"
    )
    environment = bare.homeless() | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-u", "-c", code]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = told.stdout.split()
    assert first == second and Path(first).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_without_any_place_to_write_one_line_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    with pytest.raises(StorageError, match="Let TMPDIR name one"):
        caches.temporary()


def test_what_numba_compiles_stays_where_it_was_put(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("librosa")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "chosen"))
    caches.set_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "chosen")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    caches.set_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(caches.cache_root() / "numba")
