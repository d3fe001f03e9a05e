"""Nothing is sent and no name looked up unless asked; no files are left but caches."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from conftest import ROOT, voice

from emelia.packages import TELEMETRY_OFF, WITH_TELEMETRY

# What makes packages quiet by chance, on a machine for tests: here they are to be as at home.
CHANCE = re.compile(
    r"CI|.*_CI|TF_BUILD|GITHUB_.*|PYTEST.*|.*TELEMETRY.*|EMELIA_.*|XDG_.*|HF_.*|MLFLOW_.*"
    r"|JENKINS_.*|TRAVIS|BUILDKITE|CLOUD_RUN.*|RUNBOT.*|CODEBUILD.*|TEAMCITY.*|BITBUCKET.*"
)
# Python's own name for each look-up and connection, with where it leads, in a file.
WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "::1") and not host.startswith("127."):
        with open(os.environ["LOOKED_UP"], "a") as file:
            print(event, host, file=file)
sys.addaudithook(watch)
"""
ABROAD = re.compile(r"(?:connect|send\w+)\(.*?inet_(?:addr|pton)\((?:AF_INET6, )?\"(?!127\.|::1\")")

RAW = "import onnxruntime"
HEAR = """
import sys
from emelia import load
print(load("aesdd").predict(sys.argv[1]).emotion)
"""
LATER = "import emelia.use.recognizer, emelia.packages\nemelia.packages.package('onnxruntime')"
CHECK_OF_EXPORT = """
from emelia.learn.export.modelfile import Session
from emelia.use.bundled import find_model
Session(find_model("aesdd").read_bytes())
"""
BENCHMARK = "import runpy; runpy.run_path('benchmarks/recognition_speed.py')['machine']()"
LIVE = """
import numpy, sys
from emelia import Live, load
Live(load("aesdd")).feed(numpy.zeros(16_000, "f4"))
"""


class Home:
    """A new user's home, and what programs do there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "home", folder / "looked-up.txt"
        self.folder.mkdir()
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCH)
        kept = {
            k: v
            for k, v in os.environ.items()
            if k not in TELEMETRY_OFF and not CHANCE.fullmatch(k)
        }
        self.environment = kept | {
            "HOME": str(self.folder),
            "LOOKED_UP": str(self.log),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": f"{folder / 'watch'}{os.pathsep}{ROOT / 'src'}",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *command: str) -> str:
        process = self.start(*command)
        told = process.communicate(timeout=100)[0]
        assert process.returncode == 0, told
        return told

    def files(self) -> list[str]:
        """What lies in the home, without what emelia and matplotlib keep to be faster."""
        ours = (".cache/emelia", ".cache/matplotlib", ".config/matplotlib")
        found = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*"))
        return [f for f in found if not f.startswith(ours) and (self.folder / f).is_file()]

    def looked_up(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", voice(140.0, seconds=1.5, seed=number), 16_000)
    return folder


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where ONNX Runtime says nothing by itself: there would be nothing to see."""
    home = Home(tmp_path_factory.mktemp("raw"))
    home.run(sys.executable, "-c", RAW)
    if not home.files():
        pytest.skip("this ONNX Runtime keeps no telemetry, so nothing could be seen of it")


def emelia(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "emelia", *arguments)


@pytest.mark.usefixtures("telling")
@pytest.mark.parametrize(
    "code",
    [HEAR, LATER, CHECK_OF_EXPORT, BENCHMARK, LIVE],
    ids=["load", "package", "export", "benchmark", "Live"],
)
def test_python_leaves_and_sends_nothing(code: str, home: Home, clips: Path) -> None:
    home.run(sys.executable, "-c", code, str(clips / "0.wav"))
    assert (home.files(), home.looked_up()) == ([], "")


@pytest.mark.usefixtures("telling")
@pytest.mark.parametrize(
    "command",
    [
        ("predict", "0.wav"),
        ("predict", "--timeline", "0.wav"),
        ("listen", "--file", "0.wav", "--fast"),
        ("score", ".", "scores.csv", "--jobs", "2"),
        ("models",),
    ],
    ids=" ".join,
)
def test_a_command_leaves_and_sends_nothing(
    command: tuple[str, ...], home: Home, clips: Path
) -> None:
    places = {"0.wav": str(clips / "0.wav"), ".": str(clips), "scores.csv": str(clips / "s.csv")}
    home.run(*emelia(*(places.get(word, word) for word in command)))
    assert (home.files(), home.looked_up()) == ([], "")


@pytest.mark.usefixtures("telling")
def test_the_server_leaves_and_sends_nothing(home: Home) -> None:
    process = home.start(*emelia("serve", "--port", "0"))
    try:
        assert process.stdout is not None and "Open http" in process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert (home.files(), home.looked_up()) == ([], "")


def test_an_answer_to_the_contrary_in_the_environment_does_not_count(home: Home) -> None:
    home.environment |= dict.fromkeys(TELEMETRY_OFF, "0")
    code = "import os, sys; import emelia.packages as p; p.disable_telemetry()\n"
    code += "print(*map(os.getenv, sys.argv[1:]))"
    assert home.run(sys.executable, "-c", code, *TELEMETRY_OFF).split() == list(
        TELEMETRY_OFF.values()
    )


@pytest.mark.parametrize("folder", ["src", "benchmarks"])
def test_only_one_module_imports_what_would_tell_of_its_use(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            found = {name.split(".")[0] for name in names}.intersection(WITH_TELEMETRY)
            assert not found, f"{path.name}:{node.lineno}: import {found} by `package`"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("huggingface_hub", "huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY"),
        ("mlflow", "mlflow.telemetry.utils.is_telemetry_disabled()"),
    ],
)
def test_a_package_knows_that_it_is_to_be_silent(name: str, asks: str, home: Home) -> None:
    pytest.importorskip(name)
    module = asks.rpartition(".")[0]
    told = "from emelia.packages import package"
    home.run(sys.executable, "-c", f"{told}; package({module!r}); import {module}; assert {asks}")
    assert (home.files(), home.looked_up()) == ([], "")


# What takes longer: packages send after seconds, so a program has to live for some.


@pytest.mark.slow
@pytest.mark.usefixtures("telling")
@pytest.mark.parametrize("door", ["raw", "listen", "serve", "load"])
def test_no_system_call_leads_abroad(door: str, home: Home, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace is not installed")
    clip, trace = tmp_path / "long.wav", tmp_path / "trace.txt"
    soundfile.write(clip, voice(140.0, seconds=15, seed=1), 16_000)
    wait = "\nimport time; time.sleep(15)"
    doors = {
        "raw": (sys.executable, "-c", RAW + wait),
        "load": (sys.executable, "-c", HEAR + wait, str(clip)),
        "listen": emelia("listen", "--file", str(clip)),  # takes as long as the clip
        "serve": emelia("serve", "--port", "0"),
    }
    process = home.start(strace, "-D", "-f", "-e", "trace=network", "-o", str(trace), *doors[door])
    if door == "serve":
        time.sleep(15)
        process.terminate()
    process.communicate(timeout=60)
    found = [line for line in trace.read_text().splitlines() if ABROAD.search(line)]
    assert bool(found) == (door == "raw"), found


@pytest.mark.slow
def test_training_tracking_and_looking_lead_nowhere(
    home: Home, small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    corpus, run = str(small_corpus()), str(tmp_path / "run")
    out = "--out", run
    for kind in ("mlflow", "tensorboard"):
        home.environment["MLFLOW_TRACKING_URI"] = (tmp_path / "mlruns").as_uri()
        home.run(*emelia("train", "emelia", corpus, "--epochs", "1", "--track", kind, *out))
        if kind == "mlflow":
            shutil.rmtree(run)
    home.run(*emelia("evaluate", run, corpus))
    home.run(*emelia("export", run, "--out", f"{run}.onnx"))
    home.run(*emelia("explore", corpus, "--out", f"{run}-explored"))
    clip = str(next(Path(corpus).rglob("*.wav")))
    home.run(*emelia("process", clip, "--out", f"{run}-processed"))
    assert (home.files(), home.looked_up()) == ([], "")
