"""Downloading corpora from a local server that fails in many ways."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emelia.cli import main
from emelia.corpora import CORPORA, CorpusSpec, read_corpus
from emelia.corpora.fetching import http, unpack
from emelia.corpora.fetching.download import checksum, download
from emelia.corpora.fetching.fetch import MARK, fetch, is_fetched
from emelia.corpora.fetching.hub import hub_spec
from emelia.corpora.sources import (
    DagsHub,
    Dataverse,
    GitHub,
    HuggingFace,
    Remote,
    Zenodo,
    stored_checksums,
)
from emelia.errors import CorpusError, StorageError
from emelia.storage import lock

BODY = np.random.default_rng(0).bytes(700_000)  # longer than a block
MD5 = f"md5:{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"
GIT = f"git:{hashlib.sha1(b'blob %d' % len(BODY) + bytes(1) + BODY).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves `bodies`; each request of a path takes the next of its `faults`, if any is left."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []  # path and Range
        self.etag = '"one"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        """Be silent."""

    def do_GET(self) -> None:
        path = self.path
        self.server.asked.append((path, self.headers.get("Range", "")))
        faults = self.server.faults.get(path, [])
        fault = faults.pop(0) if faults else ""
        body = self.server.bodies.get(path)
        if fault.isdecimal():
            self.answer(int(fault), b"", {"Retry-After": "7"})
        elif fault.startswith("to "):
            self.answer(302, b"", {"Location": fault[3:]})
        elif body is None:
            self.answer(404, b"no")
        elif fault == "page":
            self.answer(200, b"<html>Please log in</html>")
        elif fault == "longer":
            self.answer(200, body, {"Content-Length": str(len(body) + 9)})
        elif fault == "unmeasured":
            self.answer(200, body, {"Content-Length": ""})
        elif fault == "other":
            self.answer(200, body[::-1])
        else:
            self.serve(body, fault)

    def serve(self, body: bytes, fault: str) -> None:
        start = 0
        asked = self.headers.get("Range", "")
        same = self.headers.get("If-Range", self.server.etag) == self.server.etag
        if asked and same and fault != "whole":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": self.server.etag}
        if start:
            shown = start - 5 if fault == "shifted" else start
            headers["Content-Range"] = f"bytes {shown}-{len(body) - 1}/{len(body)}"
        rest = body[start:]
        if fault in ("cut", "stall"):
            headers["Content-Length"] = str(len(rest))
            rest = rest[: len(rest) // 2]
        self.answer(206 if start else 200, rest, headers)
        if fault == "stall":
            time.sleep(1.5)

    def answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=partial(made.serve_forever, 0.01), daemon=True)
        thread.start()
        made.bodies["/file"] = BODY
        yield made
        made.shutdown()
        thread.join()


class Pauses(list[float]):
    """Notes how long it should have waited, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Callable[..., Path]:
    """Download `/file` with the faults given; return its path."""

    def run(*faults: str, size: int = len(BODY), pauses: Pauses | None = None) -> Path:
        server.faults["/file"] = list(faults)
        remote = Remote("file", f"{server.url}/file", MD5, size)
        wait = Pauses() if pauses is None else pauses
        download(remote, tmp_path / "file", lambda here: None, wait)
        return tmp_path / "file"

    return run


Get = Callable[..., Path]


def left_over(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


# One file


@pytest.mark.parametrize(
    "faults",
    [
        (),
        ("cut",),
        ("cut", "cut", "cut", "cut", "cut", "cut", "cut"),  # each brings half of the rest
        ("cut", "whole"),  # ignores Range
        ("cut", "shifted"),  # sends another part
        ("cut", "416"),
        ("500", "503", "429", "502"),
        ("unmeasured",),
        ("to /file",),
    ],
)
def test_a_file_comes_whole_whatever_the_server_does(
    get: Get, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    assert get(*faults).read_bytes() == BODY
    assert left_over(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [0, len(BODY)])
def test_only_what_is_missing_is_asked_for(get: Get, server: Server, size: int) -> None:
    get("cut", size=size)
    assert [asked for _, asked in server.asked] == ["", f"bytes={len(BODY) // 2}-"]


def test_a_file_that_is_here_is_not_asked_for_again(get: Get, server: Server) -> None:
    get()
    get()
    assert len(server.asked) == 1


def test_a_stalling_server_is_left_and_asked_for_the_rest(
    get: Get, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.2)
    assert get("stall").read_bytes() == BODY
    assert server.asked[1][1].startswith("bytes=")


def test_a_later_start_goes_on_where_an_earlier_one_was_killed(
    get: Get, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(BODY[:1000])
    (tmp_path / "file.part.etag").write_text('"one"')
    get()
    assert [asked for _, asked in server.asked] == ["bytes=1000-"]


def test_a_file_that_has_changed_in_between_is_got_anew(
    get: Get, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(b"old" * 300)
    (tmp_path / "file.part.etag").write_text('"zero"')
    assert get().read_bytes() == BODY
    assert len(server.asked) == 1  # the server noticed by the ETag


def test_a_wrong_beginning_is_noticed_by_the_checksum(get: Get, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"old" * 300)
    assert get().read_bytes() == BODY


def test_a_part_that_is_too_long_is_dropped(get: Get, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    assert get().read_bytes() == BODY


def test_a_server_that_asks_for_a_pause_gets_it(get: Get) -> None:
    pauses = Pauses()
    get("429", "503", pauses=pauses)
    assert pauses == [7.0, 7.0]


def test_waits_grow(get: Get) -> None:
    pauses = Pauses()
    with pytest.raises(CorpusError, match="answers 500"):
        get(*["500"] * 5, pauses=pauses)
    assert pauses == [7.0, 7.0, 8.0, 16.0]  # 7 is what the server asks for


@pytest.mark.parametrize(
    ("faults", "size", "message"),
    [
        (("500",) * 5, 0, r"answers 500 .* 5 times in a row.*what has come is kept"),
        (("403",), 0, r"answers 403 .*may have moved"),
        (("page",), len(BODY), rf"has 26 bytes, expected {len(BODY)}"),
        (("page",), 0, r"not the file that was expected \(its checksum is md5:"),
        (("other",), len(BODY), "not the file that was expected"),
        (("longer",), len(BODY), rf"has {len(BODY) + 9} bytes"),
        (("to file:///etc/passwd",), 0, "answers 302"),
        (("to ftp://localhost/x",), 0, "unknown url type: ftp"),
        (("to /file",) * 30, 0, "answers 302"),
    ],
)
def test_what_cannot_be_had_is_told_and_leaves_nothing(
    get: Get, tmp_path: Path, faults: tuple[str, ...], size: int, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        get(*faults, size=size)
    assert left_over(tmp_path) == []


def test_a_missing_file_and_a_missing_server_are_told(server: Server, tmp_path: Path) -> None:
    for url, message in (
        (f"{server.url}/none", "answers 404"),
        ("http://no-such-host.invalid/x", "no such server, or no network"),
        ("http://127.0.0.1:1/x", r"the connection failed .*5 times in a row"),
    ):
        with pytest.raises(CorpusError, match=message):
            download(Remote("x", url, MD5), tmp_path / "x", lambda here: None, Pauses())


def test_an_address_with_a_space_is_understood(server: Server, tmp_path: Path) -> None:
    server.bodies["/raw/a01%20(1).wav"] = BODY
    remote = Remote("a", f"{server.url}/raw/a01 (1).wav", MD5)
    download(remote, tmp_path / "a", lambda here: None, Pauses())
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_protected_line_is_not_left_for_an_open_one() -> None:
    from urllib.error import URLError
    from urllib.request import Request

    with pytest.raises(URLError, match="leads away from https"):
        http._Redirects().redirect_request(
            Request("https://a.example/x"), None, 302, "", {}, "http://a.example/x"
        )


def test_a_full_disk_is_told(server: Server, disk: Callable[[str], Path]) -> None:
    folder = disk("256k")
    remote = Remote("file", f"{server.url}/file", MD5, len(BODY))
    with pytest.raises(StorageError, match="No space left"):
        download(remote, folder / "file", lambda here: None, Pauses())


def test_git_s_checksum_is_that_of_git(get: Get) -> None:
    assert checksum(get(), "git:") == GIT


# Archives


def pack(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members.items():
                file.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


FORMATS = pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])


@FORMATS
def test_an_archive_is_unpacked(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / name, {"one.wav": b"1", "Colère/two.wav": b"22"})
    assert unpack.unpack(archive, tmp_path / "out") == 2
    assert (tmp_path / "out/one.wav").read_bytes() == b"1"
    assert (tmp_path / "out/Colère/two.wav").read_bytes() == b"22"


@FORMATS
@pytest.mark.parametrize("evil", ["../x", "/x", "a/../../x", "C:/x", "a\\..\\..\\x"])
def test_names_that_lead_out_of_the_folder_are_refused(
    tmp_path: Path, name: str, evil: str
) -> None:
    archive = pack(tmp_path / name, {"one.wav": b"1", evil: b"x"})
    with pytest.raises(CorpusError, match="not safe"):
        unpack.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["", "/", "..", ".", "a\0b"])
def test_a_file_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(CorpusError, match="not safe"):
        unpack.safe_path(name, "list")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        member = tarfile.TarInfo("evil")
        member.type, member.linkname = kind, "/etc/passwd"
        file.addfile(member)
    with pytest.raises(CorpusError, match="link or device"):
        unpack.unpack(tmp_path / "a.tar", tmp_path / "out")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        member = zipfile.ZipInfo("evil")
        member.external_attr = 0o120777 << 16
        file.writestr(member, "/etc/passwd")
    with pytest.raises(CorpusError, match="link or device"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "out")


@FORMATS
def test_a_bomb_is_stopped_before_it_fills_the_disk(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_TIMES", 4)
    archive = pack(tmp_path / name, {str(i): bytes(2**20) for i in range(8)})
    with pytest.raises(CorpusError, match="unpacks to more than 4 times its size"):
        unpack.unpack(archive, tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 4 * 2**20


@FORMATS
def test_too_many_files_are_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_FILES", 3)
    archive = pack(tmp_path / name, {str(i): b"" for i in range(5)})
    with pytest.raises(CorpusError, match="more than 3 files"):
        unpack.unpack(archive, tmp_path / "out")


@FORMATS
def test_a_file_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / name, {"a/b": b"1", "a/./b": b"2"})
    with pytest.raises(CorpusError, match="'b' twice"):
        unpack.unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("damage", ["empty", "noise", "cut"])
def test_a_damaged_archive_is_told(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    if damage == "cut":
        whole = pack(tmp_path / ("b.zip" if name == "a.zip" else "b.tar.gz"), {"x": BODY})
        path.write_bytes(whole.read_bytes()[: len(BODY) // 2])
    else:
        path.write_bytes(b"" if damage == "empty" else BODY[:5000])
    with pytest.raises(CorpusError, match="damaged or no archive"):
        unpack.unpack(path, tmp_path / "out")


# A corpus


def clip(seed: int) -> bytes:
    data = io.BytesIO()
    noise = 0.1 * np.random.default_rng(seed).standard_normal(800)
    soundfile.write(data, noise, 16_000, format="WAV")
    return data.getvalue()


CLIPS = {"wav/03a01Wa.wav": clip(0), "wav/08a02Fb.wav": clip(1)}


@pytest.fixture
def emodb(server: Server, tmp_path: Path) -> CorpusSpec:
    """EmoDB as if the server on this machine were Zenodo."""
    offer(server, pack(tmp_path / "emodb.zip", CLIPS).read_bytes())
    return replace(CORPORA["emodb"], source=Zenodo("1", ("*.zip",), host=server.url))


def offer(server: Server, archive: bytes, listed: bytes | None = None) -> None:
    digest = hashlib.md5(listed or archive, usedforsecurity=False).hexdigest()
    server.bodies["/emodb.zip"] = archive
    file = {"key": "emodb.zip", "size": len(archive), "checksum": f"md5:{digest}"}
    file |= {"links": {"self": f"{server.url}/emodb.zip"}}
    record = {"files": [file, {**file, "key": "paper.pdf"}]}
    server.bodies["/api/records/1"] = json.dumps(record).encode()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: self.is_set())


def test_a_corpus_is_fetched_and_found_by_its_name(
    emodb: CorpusSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, ...]] = []
    folder = tmp_path / "corpora"
    home = fetch(emodb, folder, lambda *facts: told.append(facts))
    size = (tmp_path / "emodb.zip").stat().st_size
    assert told[-1] == (1, 1, size, size)
    assert os.listdir(folder) == ["emodb"]
    assert json.loads((home / MARK).read_text())["clips"] == 2 and is_fetched(home)
    monkeypatch.setenv("EMELIA_CORPORA", str(folder))
    assert len(read_corpus("emodb").utterances) == 2


def test_a_fetched_corpus_is_not_fetched_again(
    emodb: CorpusSpec, server: Server, tmp_path: Path
) -> None:
    home = fetch(emodb, tmp_path / "corpora")
    server.asked.clear()
    assert fetch(emodb, tmp_path / "corpora") == home and not server.asked


def test_what_is_there_is_not_overwritten(emodb: CorpusSpec, tmp_path: Path) -> None:
    (tmp_path / "emodb").mkdir()
    with pytest.raises(CorpusError, match=r"is there already, but was not fetched"):
        fetch(emodb, tmp_path)


def test_half_a_corpus_is_none_and_the_next_start_has_the_rest_to_do(
    emodb: CorpusSpec, server: Server, tmp_path: Path, no_waiting: None
) -> None:
    server.faults["/emodb.zip"] = ["cut", *["500"] * 5]
    with pytest.raises(CorpusError, match="answers 500"):
        fetch(emodb, tmp_path / "corpora")
    assert os.listdir(tmp_path / "corpora") == [".emodb.fetch"]
    with pytest.raises(CorpusError, match="no recordings"):
        read_corpus(tmp_path / "corpora")
    server.asked.clear()
    assert fetch(emodb, tmp_path / "corpora").is_dir()
    half = len(server.bodies["/emodb.zip"]) // 2
    assert ("/emodb.zip", f"bytes={half}-") in server.asked


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme.txt": b"moved"}, "0 of 0 recordings in the download have names of emodb's"),
        ({"a.wav": b"", "b.wav": b"", "03a01Wa.wav": b""}, "1 of 3 recordings"),
        ({"../03a01Wa.wav": b""}, "not safe"),
    ],
)
def test_an_archive_of_something_else_does_not_become_a_corpus(
    emodb: CorpusSpec, server: Server, tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    offer(server, pack(tmp_path / "other.zip", members).read_bytes())
    with pytest.raises(CorpusError, match=message):
        fetch(emodb, tmp_path / "corpora")
    assert not (tmp_path / "corpora/emodb").exists()


def test_a_wrong_checksum_does_not_become_a_corpus(
    emodb: CorpusSpec, server: Server, tmp_path: Path
) -> None:
    offer(server, server.bodies["/emodb.zip"], listed=b"another")
    with pytest.raises(CorpusError, match="not the file that was expected"):
        fetch(emodb, tmp_path / "corpora")
    assert not (tmp_path / "corpora/emodb").exists()


def test_a_disk_that_is_too_small_is_told_before_the_download(
    emodb: CorpusSpec, server: Server, tmp_path: Path
) -> None:
    record = json.loads(server.bodies["/api/records/1"])
    record["files"][0]["size"] = 10**15
    server.bodies["/api/records/1"] = json.dumps(record).encode()
    with pytest.raises(StorageError, match=r"3000000\.0 GB are needed"):
        fetch(emodb, tmp_path / "corpora")


def test_two_do_not_fetch_the_same_at_once(emodb: CorpusSpec, tmp_path: Path) -> None:
    work = tmp_path / ".emodb.fetch"
    work.mkdir()
    with lock(work), pytest.raises(StorageError, match="another process"):
        fetch(emodb, tmp_path)


def test_ctrl_c_stops_all_downloads(emodb: CorpusSpec, tmp_path: Path) -> None:
    def interrupt(*facts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(emodb, tmp_path / "corpora", interrupt)
    assert os.listdir(tmp_path / "corpora") == [".emodb.fetch"]


def test_what_is_not_free_says_where_to_ask(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"savee: cannot be fetched; register at http"):
        fetch(CORPORA["savee"], tmp_path)


# The command


@pytest.fixture
def run(
    emodb: CorpusSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `emelia corpora` with words, where EmoDB is kept on this machine."""
    monkeypatch.setitem(CORPORA, "emodb", emodb)
    monkeypatch.delenv("EMELIA_CORPORA", raising=False)

    def command(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["emelia", "corpora", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return (code, *capsys.readouterr())

    return command


Run = Callable[..., tuple[int, str, str]]


def test_the_command_shows_the_licence_fetches_and_names_the_corpus(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "cache"))
    code, out, err = run("fetch", "emodb", "--accept-licence")
    assert code == 0
    assert "Licence: CC0" in out and "Look at it: emelia corpora emodb" in out
    assert "fetching emodb: done" in err
    assert "2 of 535 clips are here" in run("emodb")[2]
    assert "is already in" in run("fetch", "emodb")[1]
    assert re.search(r"emodb +German .* is here", run()[1])


def test_nothing_is_fetched_before_the_licence_is_accepted(
    run: Run, server: Server, tmp_path: Path
) -> None:
    code, out, err = run("fetch", "emodb", "--to", tmp_path / "to")
    assert code == 2 and "agree to it with --accept-licence" in err and "Licence: CC0" in out
    assert server.asked == [] and not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["fetch"], 2, "fetch what? Free to download are aesdd, cafe"),
        (["fetch", "xyz"], 2, "xyz: no such corpus; free are aesdd, cafe"),
        (["fetch", "ravdes"], 2, "did you mean ravdess?"),
        (["fetch", "savee"], 1, "register at http"),
        (["fetch", "demo"], 1, "demo: cannot be fetched; made on your machine"),
        (["a", "b"], 2, "expected one corpus"),
        (["--accept-licence"], 2, "go with: emelia corpora fetch NAME"),
    ],
)
def test_what_the_command_cannot_do_is_told(
    run: Run, words: list[str], code: int, message: str
) -> None:
    told = run(*words)
    assert told[0] == code and message in told[2]


# Hosts


def test_zenodo_s_own_checksum_is_preferred_to_one_noted_before() -> None:
    file = {"key": "a.zip", "size": 3, "checksum": "md5:1", "links": {"self": "u"}}
    answer = {"files": [file, {**file, "key": "b.pdf"}]}
    noted_before = Zenodo("1", ("*.zip",), {"a.zip": "md5:2"})
    assert noted_before.files(lambda url: answer) == [Remote("a.zip", "u", "md5:2", 3)]
    assert Zenodo("1", ("*",)).files(lambda url: answer)[0].checksum == "md5:1"


def test_github_lists_the_files_of_a_folder_with_git_s_checksums() -> None:
    tree = [
        {"path": "samples", "type": "tree", "sha": "t"},
        {"path": "samples/a b.wav", "type": "blob", "sha": "s", "size": 4},
        {"path": "other/c.wav", "type": "blob", "sha": "s", "size": 4},
    ]
    (remote,) = GitHub("o/n", "ref", "samples/").files(lambda url: {"tree": tree})
    raw = "https://raw.githubusercontent.com/o/n/ref/samples/a%20b.wav"
    assert remote == Remote("samples/a b.wav", raw, "git:s", 4)


def test_a_large_file_is_got_by_its_pointer(server: Server, tmp_path: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(BODY)}\n"
    ).encode()
    sha = hashlib.sha1(b"blob %d" % len(pointer) + bytes(1) + pointer).hexdigest()
    server.bodies |= {"/raw/o/n/HEAD/a.wav": pointer, "/media/o/n/HEAD/a.wav": BODY}
    tree = [{"path": "a.wav", "type": "blob", "sha": sha, "size": len(pointer)}]
    source = GitHub(
        "o/n", "HEAD", "", large=True, raw=f"{server.url}/raw", media=f"{server.url}/media"
    )
    (remote,) = source.files(lambda url: {"tree": tree})
    download(remote, tmp_path / "a.wav", lambda here: None, Pauses())
    assert (tmp_path / "a.wav").read_bytes() == BODY


def test_dataverse_lists_the_files_of_the_latest_version() -> None:
    data = {"id": 7, "filename": "OAF_back_angry.wav", "filesize": 9, "md5": "m"}
    files = [{"directoryLabel": "OAF", "dataFile": data}, {"dataFile": data}]
    answer = {"data": {"latestVersion": {"files": files}}}
    first, second = Dataverse("https://d", "doi:1/2").files(lambda url: answer)
    assert first == Remote("OAF/OAF_back_angry.wav", "https://d/api/access/datafile/7", "md5:m", 9)
    assert second.name == "OAF_back_angry.wav"


def test_dagshub_is_searched_for_files_whose_checksums_are_known() -> None:
    answers = {
        "h/o/n": {"default_branch": "main"},
        "h/o/n/content/main/": [
            {"path": "data", "type": "dir"},
            {"path": "readme", "type": "file", "download_url": "r"},
        ],
        "h/o/n/content/main/data": [{"path": "data/anger", "type": "dir"}],
        "h/o/n/content/main/data/anger": [
            {"path": "data/anger/a01 (1).wav", "type": "file", "download_url": "u"}
        ],
    }
    source = DagsHub("o/n", lambda: {"a01 (1).wav": "sha256:1"}, "h")
    assert source.files(answers.__getitem__) == [Remote("anger/a01 (1).wav", "u", "sha256:1")]
    with pytest.raises(CorpusError, match="1 of the 1 files are not there"):
        DagsHub("o/n", lambda: {"b": "sha256:1"}, "h").files(answers.__getitem__)


def test_hugging_face_lists_large_and_small_files() -> None:
    large = {"rfilename": "data/a.parquet", "size": 5, "blobId": "b", "lfs": {"sha256": "s"}}
    small = {"rfilename": "README.md", "size": 2, "blobId": "g"}
    answer = {"sha": "c", "siblings": [large, small]}
    place = "https://huggingface.co/datasets/o/n/resolve/c"
    assert HuggingFace("o/n").files(lambda url: answer) == [
        Remote("data/a.parquet", f"{place}/data/a.parquet", "sha256:s", 5),
        Remote("README.md", f"{place}/README.md", "git:g", 2),
    ]


def test_a_data_set_of_the_hub_is_fetched_with_its_licence(server: Server, tmp_path: Path) -> None:
    sha = hashlib.sha256(BODY).hexdigest()
    file = {"rfilename": "data/x.parquet", "size": len(BODY), "blobId": "", "lfs": {"sha256": sha}}
    answer = {"sha": "c", "siblings": [file, {**file, "rfilename": "run.py"}]}
    server.bodies |= {
        "/api/datasets/o/n": json.dumps({"cardData": {"license": ["cc-by-4.0"]}}).encode(),
        "/api/datasets/o/n/revision/main?blobs=true": json.dumps(answer).encode(),
        "/datasets/o/n/resolve/c/data/x.parquet": BODY,
    }
    spec = hub_spec("o/n", server.url)
    assert spec.licence == "cc-by-4.0" and spec.homepage == f"{server.url}/datasets/o/n"
    home = fetch(spec, tmp_path / "corpora")
    assert home == tmp_path / "corpora/o--n"
    assert (home / "data/x.parquet").read_bytes() == BODY and not (home / "run.py").exists()
    with pytest.raises(CorpusError, match="expected hf:OWNER/NAME"):
        hub_spec("name")


@pytest.mark.parametrize("answer", [None, [], {}, {"files": [{}]}, {"files": 3}, "no"])
def test_a_list_of_another_form_is_told(answer: object) -> None:
    with pytest.raises(CorpusError, match="not as expected"):
        Zenodo("1", ("*",)).files(lambda url: answer)


def test_a_list_that_is_no_json_is_told(server: Server) -> None:
    server.bodies["/list"] = b"<html>"
    with pytest.raises(CorpusError, match="not the list of files"):
        http.get_json(f"{server.url}/list", Pauses())


def test_the_checksums_of_aesdd_are_those_of_its_605_files() -> None:
    known = stored_checksums("aesdd")
    assert len(known) == 605
    assert all(CORPORA["aesdd"].parse(Path(name)) for name in known)
    assert all(len(value) == 71 and value.startswith("sha256:") for value in known.values())


def test_every_source_is_a_known_host_with_an_address_of_its_own() -> None:
    sources = [spec.source for spec in CORPORA.values() if spec.source]
    assert len(sources) == 11 and len(set(map(repr, sources))) == 11
    assert {type(source) for source in sources} == {DagsHub, Dataverse, GitHub, Zenodo}
