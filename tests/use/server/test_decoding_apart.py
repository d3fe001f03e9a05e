"""A recording is decoded by a process that has no rights, and its faults are told from ours."""

from __future__ import annotations

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi")
from conftest import RATE
from media_files import media_file
from test_server import Wave, encoded, refused, served, speech, upload

import emelia
from emelia.audio.sandbox import DecoderFault, Sandbox, child, parent, replies
from emelia.audio.sandbox.sentences import _ERRORS, _WARNINGS, known_error, known_warning
from emelia.errors import AudioError, FormatError, TooLongError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="these are rights of Linux")
AUDIO = Path(emelia.__file__).parent / "audio"


def heard(sandbox: Sandbox, data: bytes, *, longest: float = 60, seconds: float = 20) -> Wave:
    pieces = sandbox.stream(data, max_seconds=longest, deadline=time.monotonic() + seconds)
    return np.concatenate([wave for wave, _ in pieces])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(megabytes=64)
    yield sandbox
    sandbox.close()


def test_a_child_decodes_what_its_parent_would(sandbox: Sandbox) -> None:
    np.testing.assert_allclose(heard(sandbox, encoded(speech())), speech(), atol=4e-5)


def test_hours_of_silence_take_little_memory(sandbox: Sandbox) -> None:
    bomb = encoded(np.zeros(1_800_000, np.int16), 1000, "FLAC")
    with pytest.raises(TooLongError):
        heard(sandbox, bomb)
    assert len(heard(sandbox, bomb, longest=1800)) == 1800 * RATE  # 115 MB, through 64 MB


# What a child may not do


ATTEMPTS = {
    "open": "open(sys.argv[1])",
    "list": "os.listdir('/')",
    "delete": "os.unlink(sys.argv[1])",
    "rename": "os.rename(sys.argv[1], sys.argv[1] + 'x')",
    "write": "open(sys.argv[1] + 'y', 'w')",
    "connect": "socket.socket()",
    "pair": "socket.socketpair()",
    "fork": "os.fork()",
    "execute": "os.execv(sys.executable, ['python', '-c', ''])",
    "kill": "os.kill(os.getppid(), 0)",
    "memory of its parent": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "environment of its parent": "open(f'/proc/{os.getppid()}/environ', 'rb')",
    "trace": "check(libc.ptrace(16, os.getppid(), 0, 0))",
    "priority": "os.nice(-5)",
    "memory": "bytearray(2**28)",
}
TRY = """
import ctypes, os, resource, socket, sys
from emelia.audio.sandbox import rights
libc = ctypes.CDLL(None, use_errno=True)
def check(code):
    if code < 0: raise OSError(ctypes.get_errno(), "refused")
# before
lacking, _ = rights.give_up(2**26, 20)
refused = []
for line in sys.argv[2:]:
    try: exec(line)
    except (OSError, MemoryError): refused.append(line)
    else: print("could", line)
os.write(1, ("\\n".join(refused + ["lacking " + " ".join(lacking)])).encode())
os._exit(0)
"""


def tried(mine: Path, lines: list[str], before: str = "") -> tuple[list[str], str]:
    """What a process without rights was refused, and what the system lacks."""
    run = subprocess.run(
        [sys.executable, "-c", TRY.replace("# before", before), str(mine), *lines],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.stdout, run.stderr
    *refused, lacking = run.stdout.splitlines()
    return refused, lacking


@LINUX
@pytest.mark.parametrize("somebody", [False, True], ids=["as it is", "as another user"])
def test_a_child_can_only_compute(tmp_path: Path, somebody: bool) -> None:
    (mine := tmp_path / "mine").touch()
    before = "rights._become_nobody(libc)" if somebody else ""
    refused, _ = tried(mine, list(ATTEMPTS.values()), before)
    assert refused == list(ATTEMPTS.values()) and mine.exists()


LAYERS = {
    "_no_files": ("open", "list", "delete", "rename", "write", "memory of its parent"),
    "_only_compute": tuple(ATTEMPTS),
    "_become_nobody": (
        "open",
        "delete",
        "rename",
        "write",
        "memory of its parent",
        "kill",
        "trace",
    ),
}


STATE = """
import ctypes, os, resource
from emelia.audio.sandbox import rights
rights._only_compute = lambda libc: True  # it would not let us look
rights.give_up(2**26, 20)
libc = ctypes.CDLL(None)
kinds = "FSIZE", "CORE", "NPROC", "NOFILE"
limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds]
print(limits, libc.prctl(3, 0, 0, 0, 0), libc.prctl(39, 0, 0, 0, 0))
"""


@LINUX
def test_a_child_has_no_room_and_cannot_be_looked_into() -> None:
    """No files, core dumps or processes; not dumpable, and without new privileges."""
    run = subprocess.run([sys.executable, "-c", STATE], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"{[(0, 0)] * 4} 0 1"


@LINUX
def test_the_fork_server_is_apart_and_its_child_has_one_connection(sandbox: Sandbox) -> None:
    sandbox.start()
    server = sandbox._process.pid
    assert os.getpgid(server) == server, "Ctrl-C reaches the parent alone"
    assert os.readlink(f"/proc/{server}/fd/0") == os.devnull
    (ours, theirs), (fate, tells) = socket.socketpair(), socket.socketpair()
    with ours, fate:
        sandbox._give(theirs, tells)  # and nothing is sent: the child waits
        children = Path(f"/proc/{server}/task/{server}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.01)
        held: list[str] = []
        while sum("socket" in one for one in held) != 1:  # it closes what it was forked with
            time.sleep(0.01)
            held = [os.readlink(one) for one in Path(f"/proc/{found[0]}/fd").iterdir()]


def test_a_recording_that_is_too_long_is_called_so(sandbox: Sandbox) -> None:
    with pytest.raises(TooLongError, match=r"^upload: "):
        heard(sandbox, encoded(speech()), longest=0.5)


def test_what_a_child_cannot_give_up_is_told() -> None:
    code = (
        "from emelia.audio.sandbox import child\n"
        "child.give_up = lambda *_: (['seccomp', 'Landlock'], True)\n"
        "print(child._lacking(2**26))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == r"b'seccomp, Landlock\n'"


@LINUX
@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_holds_where_a_container_lacks_the_others(tmp_path: Path, layer: str) -> None:
    if layer == "_become_nobody" and os.geteuid():
        pytest.skip("only root can become another user")
    (mine := tmp_path / "mine").touch()
    others = [*(set(LAYERS) - {layer}), "_no_more_files"]
    before = "; ".join(f"rights.{name} = lambda libc: False" for name in others)
    lines = [ATTEMPTS[name] for name in LAYERS[layer]]
    refused, lacking = tried(mine, lines, before)
    assert refused == lines and mine.exists()
    assert "no files" in lacking and ("seccomp" in lacking) == (layer != "_only_compute")


@LINUX
def test_the_fork_server_knows_no_secret(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMELIA_TOKEN", "open-sesame")
    sandbox.start()
    given = Path(f"/proc/{sandbox._process.pid}/environ").read_bytes()
    assert b"open-sesame" not in given and b"EMELIA" not in given and b"PYTHONPATH" in given


@LINUX
def test_what_a_system_lacks_is_one_line_at_the_start(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served() as client:
        assert client.get("/healthz").status_code == 200
    assert not [r for r in caplog.records if "lacks" in r.getMessage()]
    monkeypatch.setattr(Sandbox, "start", lambda self: ["Landlock", "seccomp"])
    with served() as client:
        assert client.get("/healthz").status_code == 200
    (line,) = [r.getMessage() for r in caplog.records if "lacks" in r.getMessage()]
    assert "lacks Landlock, seccomp" in line and "\n" not in line


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("webm", "opus")])
def test_a_child_without_rights_decodes_what_phones_make(
    sandbox: Sandbox, kind: str, codec: str
) -> None:
    pytest.importorskip("av")
    data = media_file(np.resize(speech(), 48_000), kind, codec)
    assert len(heard(sandbox, data)) > RATE / 2


# What a child says


def test_what_a_child_says_is_one_of_our_sentences() -> None:
    link = "upload: visit http://evil.example now. Cut it."
    assert known_error(TooLongError, link) == "upload: is longer than the limit. Cut it."
    assert "evil" not in known_error(FormatError, "upload: " + link)
    damaged = "upload: cannot be decoded (call 555 at once). It is damaged or cut short."
    assert "555" not in known_error(AudioError, damaged)
    assert known_warning("its owner must call 555.") == "something was amiss with it."
    for text in (
        "upload: lasts 301.0 s; the limit is 300 s. Cut it.",
        "upload: has 2 channels, and no channel 5.",
    ):
        assert known_error(AudioError, text) == text
    assert "evil" not in known_error(FormatError, "upload: WAV with go evil is not read.")


TELL = ("AudioError", "FormatError", "TooLongError", "no_recording", "warn")


def _told(path: Path) -> Iterator[str]:
    """The fixed parts of what a module says in errors and warnings of recordings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in TELL:
            inside = [one for given in node.args for one in ast.walk(given)]
            formats = {id(one.format_spec) for one in inside if isinstance(one, ast.FormattedValue)}
            numbers = [id(v) for one in inside if id(one) in formats for v in one.values]
            for text in inside:
                if id(text) in numbers:
                    continue
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value


@pytest.mark.parametrize("name", ["channels", "decoding", "heard", "limits", "media", "sndfile"])
def test_every_sentence_about_a_recording_is_known(name: str) -> None:
    left_out = ("cannot be decoded (", "It is damaged or cut short; use an intact copy")
    of_paths = ("no such file", "cannot be read (", "is a folder; expected one recording")
    known = [*_ERRORS, *_WARNINGS, *left_out, *of_paths]
    for text in _told(AUDIO / f"{name}.py"):
        for part in filter(None, (one.strip(" .:;()`") for one in re.split(r"[:`)]", text))):
            assert any(part in sentence for sentence in known), f"{part!r} is in no sentence"


# How a child ends


def test_the_fork_server_ends_when_its_parent_has(sandbox: Sandbox) -> None:
    sandbox.start()
    assert sandbox._control
    sandbox._control.close()  # as the system does it for a parent that was killed
    assert sandbox._process.wait(timeout=20) == 0


def test_a_dead_fork_server_is_replaced(sandbox: Sandbox) -> None:
    heard(sandbox, encoded(speech()))
    sandbox._process.kill()
    sandbox._process.wait()
    assert heard(sandbox, encoded(speech())).size == speech().size


def test_a_file_that_needs_too_much_memory_is_refused() -> None:
    sandbox = Sandbox(megabytes=1)
    try:
        with pytest.raises(AudioError, match=r"^upload: the decoder gave up"):
            heard(sandbox, encoded(np.tile(speech(), 20)))
    finally:
        sandbox.close()


def _ends(by: int) -> str:
    """Code of a fork server whose children end by a signal as soon as they have the file."""
    before = (
        "import os\nfrom emelia.audio.sandbox import child\n"
        "child.give_up = lambda *_: ([], True)\n"
        f"child._answer = lambda *_: os.kill(os.getpid(), {by:d})\n"
    )
    return parent._FORK_SERVER.replace("fork_server(*", f"{before}fork_server(*")


@pytest.mark.parametrize(
    ("by", "error"),
    [
        (signal.SIGKILL, DecoderFault), (signal.SIGTERM, DecoderFault),
        (signal.SIGSEGV, AudioError), (signal.SIGABRT, AudioError), (signal.SIGALRM, TimeoutError),
    ],
)  # fmt: skip
def test_who_ended_a_child_decides_whose_fault_it_is(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, by: signal.Signals, error: type[Exception]
) -> None:
    monkeypatch.setattr(parent, "_FORK_SERVER", _ends(by))
    with pytest.raises(error):
        heard(sandbox, encoded(speech()))


def test_a_killed_decoder_is_a_fault_of_the_server_logged_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(parent, "_FORK_SERVER", _ends(signal.SIGKILL))
    with served() as client:
        refused(
            upload(client, encoded(speech())), 500, "fault of this server, not of the recording"
        )
        assert 'emelia_rejected_total{reason="fault"} 1.0' in client.get("/metrics").text
    (line,) = [r for r in caplog.records if r.name == "emelia.server" and r.levelname == "ERROR"]
    assert (
        "ended by signal 9, perhaps for want of memory" in line.getMessage() and not line.exc_info
    )


def test_a_server_without_memory_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(*args: object, **how: object) -> None:
        raise MemoryError

    with served() as client:
        monkeypatch.setattr(Sandbox, "stream", none_left)
        refused(upload(client, encoded(speech())), 500, "fault of this server")
    assert "no memory left" in caplog.text


def test_where_no_process_can_be_started_it_is_told() -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        child._tell(theirs, child.NOT_FORKED + 11)
        assert isinstance(parent._why(ours), DecoderFault)
        assert replies.REQUEST.size == 24
