"""Sound and corpora for tests: made on the spot, the same every time, or skipped with a reason."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 16_000  # Hz
ROOT = Path(__file__).resolve().parents[1]
SUPPORT = ROOT / "tests" / "support"
CORPORA = Path(os.environ.get("EMELIA_CORPORA") or ROOT.parent / "shared" / "corpora")
WEIGHTS = Path(os.environ.get("EMELIA_WEIGHTS") or ROOT.parent / "shared" / "weights")
EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a person's settings and cache out of the tests; one cache a session, made once."""
    for name in [n for n in os.environ if n.startswith("EMELIA_")]:  # CORPORA has been read
        monkeypatch.delenv(name)
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _without_printed_figures(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages keep their figures, but the same as PNG and PDF beside them take half of the time.

    Tests of these files are marked `printed`.
    """
    if not request.node.get_closest_marker("printed"):
        monkeypatch.setattr("emelia.show.page.png", lambda *_: b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82")
        monkeypatch.setattr("emelia.show.page.pdf", lambda *_: b"%PDF-1.4 %%EOF")


@pytest.fixture(autouse=True, scope="session")
def _children_hear_ctrl_c() -> Iterator[None]:
    """Let the programs that tests start hear Ctrl-C, where the tests themselves are not to.

    A shell lets jobs in the background ignore it, and what is ignored is so in their children,
    too. A handler that does nothing is none of theirs.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, lambda *_: None)
    yield
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The parent's end of a connection, and the child's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., Path]:
    """Write a tone of any pitch, length and rate; return its path."""

    def write(hz: float = 220.0, seconds: float = 1.0, rate: int = RATE) -> Path:
        time = np.arange(round(seconds * rate)) / rate
        path = tmp_path / f"{hz:g}-{seconds:g}-{rate}.wav"
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * time), rate)
        return path

    return write


@pytest.fixture
def wave() -> NDArray[np.float32]:
    """Two seconds like speech at 16 kHz: a moving voice, pauses, a little noise; float32 (T,)."""
    return voice(pitch=140.0, seconds=2.0, seed=0)


@pytest.fixture(scope="session")
def corpora() -> Callable[[str], Path]:
    """Give the folder of a real corpus, or skip where it is not on this machine."""

    def find(name: str) -> Path:
        folder = CORPORA / name
        if not folder.is_dir():
            pytest.skip(f"the {name} corpus is not here; point EMELIA_CORPORA at a folder with it")
        return folder

    return find


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Give the file of a pre-trained encoder, and let emelia find it; skip where it is not here."""

    def find(file: str) -> Path:
        if not (WEIGHTS / file).is_file():
            pytest.skip(f"{file} is not here; point EMELIA_WEIGHTS at a folder with it")
        monkeypatch.setenv("EMELIA_WEIGHTS", str(WEIGHTS))
        return WEIGHTS / file

    return find


@pytest.fixture
def small_corpus(tmp_path: Path) -> Callable[..., Path]:
    """Make a corpus of synthetic voices: <emotion>/<speaker>_<sentence>.wav; return its folder."""

    def make(
        folder: Path | None = None,
        *,
        speakers: int = 3,
        emotions: int = 2,
        sentences: int = 2,
        seconds: float = 0.6,
    ) -> Path:
        root = folder or tmp_path / "corpus"
        for e, emotion in enumerate(EMOTIONS[:emotions]):
            (root / emotion).mkdir(parents=True, exist_ok=True)
            for speaker in range(1, speakers + 1):
                for sentence in range(1, sentences + 1):
                    pitch = (110.0 + 30.0 * speaker) * 1.3**e  # the emotion is in the pitch
                    sound = voice(
                        pitch=pitch,
                        seconds=seconds * (1 + 0.3 * (sentence % 3)),
                        seed=1000 * e + 100 * speaker + sentence,
                    )
                    soundfile.write(root / emotion / f"{speaker}_{sentence:02}.wav", sound, RATE)
        return root

    return make


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of its own of some size (`64k`, `8m`) and return its folder; one a test."""
    folder = tmp_path / "small-disk"

    def mount(size: str) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a small disk cannot be mounted here ({error})")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, as a study's cells do."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small_encoders(
    one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Make the known encoders tiny, and torch's draws the same every time."""
    torch = pytest.importorskip("torch")
    from tiny_encoder import make_known

    with torch.random.fork_rng():
        torch.manual_seed(0)
        make_known(monkeypatch, tmp_path / "weights")
        yield


def voice(pitch: float, seconds: float, seed: int) -> NDArray[np.float32]:
    """Harmonics of a gliding pitch (Hz) in syllables with pauses; float32 (T,) at 16 kHz."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * (0.9 * time + rng.random())))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    buzz = sum(np.sin(k * phase + rng.random()) / k for k in range(1, 21))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time + rng.random()) + 0.3, 0, None)
    sound = buzz * syllables
    sound *= 0.5 / np.abs(sound).max()
    return np.asarray(sound + 0.002 * rng.standard_normal(len(time)), dtype=np.float32)
