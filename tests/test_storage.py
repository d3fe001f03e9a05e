"""No data is lost or half written: killed writers, full disks, read-only folders, locks."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from emelia import storage
from emelia.errors import StorageError

LINES = [f'{{"epoch": {n}, "note": "{"x" * 50}"}}' for n in range(20)]
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def small_disk(disk: Callable[[str], Path]) -> Path:
    """A disk of 64 kB of its own."""
    return disk("64k")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that only root may write; not in tmp_path, which nobody else may reach."""
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        folder = Path(reachable) / "closed"
        folder.mkdir()
        (folder / "old.jsonl").write_text("kept\n")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def run_as_nobody(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a child without the rights of root, for whom no folder is closed."""
    if not hasattr(os, "getuid"):
        pytest.skip("this system closes no folder by its mode")
    # Imports come first: nobody may not be allowed to read the packages.
    before = """
    import os, sys
    from pathlib import Path
    from emelia import storage
    from emelia.errors import StorageError
    if os.getuid() == 0:
        os.setgid(65534); os.setuid(65534)
    path = Path(sys.argv[1])
    """
    code = textwrap.dedent(before) + textwrap.dedent(code)
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# Whole files


def test_a_file_is_written_whole_with_its_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "model.bin"
    storage.write_atomically(path, b"first")
    storage.write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["model.bin"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    versions = {bytes([n]) * 300_000 for n in range(20)}
    storage.write_atomically(path, bytes(300_000))

    def write() -> None:
        for version in sorted(versions):
            storage.write_atomically(path, version)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = [path.read_bytes()]
    while any(writer.is_alive() for writer in writers):
        seen.append(path.read_bytes())
    assert len(seen) > 5 and set(seen) <= versions
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_killed_at_the_last_moment_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.bin"
    storage.write_atomically(path, b"old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom emelia import storage\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "storage.write_atomically(Path(sys.argv[1]), b'new' * 1000)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


# Lines


def test_lines_come_back_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "results.jsonl"
    assert storage.read_lines(path) == []
    odd = ["", "θυμός", "carriage\rreturn", "line\u2028separator"]
    for line in odd:
        storage.append_line(path, line)
    assert storage.read_lines(path) == odd


@pytest.mark.parametrize("cut", [1, 2, 30, len(LINES[-1])])
def test_a_half_line_of_a_killed_writer_is_dropped_and_repaired(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.jsonl"
    for line in LINES:
        storage.append_line(path, line)
    path.write_bytes(path.read_bytes()[:-cut])
    assert storage.read_lines(path) == LINES[:-1]
    storage.append_line(path, "next")
    assert storage.read_lines(path) == [*LINES[:-1], "next"]
    assert path.read_text() == "\n".join([*LINES[:-1], "next", ""])


def test_a_half_line_longer_than_a_block_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    storage.append_line(path, "first")
    with path.open("ab") as file:
        file.write(b"x" * (3 * storage._BLOCK + 7))
    storage.append_line(path, "second")
    assert storage.read_lines(path) == ["first", "second"]


def test_a_file_that_is_one_half_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"half": ')
    storage.append_line(path, "whole")
    assert path.read_bytes() == b"whole\n"


def test_a_line_break_inside_a_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        storage.append_line(tmp_path / "results.jsonl", "one\ntwo")


def test_a_file_of_another_kind_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"ok\n\xff\xfe\n")
    with pytest.raises(StorageError, match=r"results\.jsonl: not UTF-8 text at byte 3"):
        storage.read_lines(path)


def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        storage.read_lines(tmp_path)


# Full disks and closed folders


def test_a_full_disk_is_one_clear_line_and_the_old_file_stays(small_disk: Path) -> None:
    path = small_disk / "model.bin"
    storage.write_atomically(path, b"old")
    with pytest.raises(StorageError, match=r"the disk is full\. Free some space") as caught:
        storage.write_atomically(path, bytes(200_000))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]


def test_a_disk_that_fills_up_loses_no_line(small_disk: Path) -> None:
    path = small_disk / "results.jsonl"
    line = "x" * 3_000
    written = 0
    with pytest.raises(StorageError, match="the disk is full"):
        for _ in range(100):
            storage.append_line(path, line)
            written += 1
    assert written > 10
    assert path.read_bytes() == f"{line}\n".encode() * written


def test_a_full_disk_is_noticed_before_the_work_starts(small_disk: Path) -> None:
    storage.ensure_writable(small_disk / "run")
    with contextlib.suppress(OSError):
        (small_disk / "filler").write_bytes(bytes(100_000))
    with pytest.raises(StorageError, match="the disk is full"):
        storage.ensure_writable(small_disk / "run")


@pytest.mark.parametrize(
    "action",
    [
        "storage.write_atomically(path / 'new', b'x')",
        "storage.append_line(path / 'old.jsonl', 'x')",
        "storage.append_line(path / 'new.jsonl', 'x')",
        "storage.ensure_writable(path)",
        "storage.ensure_writable(path / 'run')",
        "storage.lock(path).__enter__()",
    ],
)
def test_a_closed_folder_is_one_clear_line(closed_folder: Path, action: str) -> None:
    run = run_as_nobody(
        f"""
        try:
            {action}
        except StorageError as error:
            sys.exit(f"caught {{error}}")
        """,
        closed_folder,
    )
    assert re.fullmatch(r"caught \S+: no permission to write here\. .*\n", run.stderr), run.stderr
    assert run.returncode == 1
    assert [p.name for p in closed_folder.iterdir()] == ["old.jsonl"]
    assert storage.read_lines(closed_folder / "old.jsonl") == ["kept"]


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    for action in (
        lambda: storage.ensure_writable(tmp_path / "runs"),
        lambda: storage.ensure_writable(tmp_path / "runs" / "demo"),
        lambda: storage.write_atomically(tmp_path / "runs" / "x.bin", b"x"),
        lambda: storage.append_line(tmp_path / "runs" / "x.jsonl", "x"),
    ):
        with pytest.raises(StorageError, match="a file stands where a folder should be"):
            action()


def test_a_good_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    storage.ensure_writable(tmp_path / "runs" / "demo")
    assert list((tmp_path / "runs" / "demo").iterdir()) == []


# Locks


def _hold(path: Path, held: multiprocessing.synchronize.Event) -> None:
    with storage.lock(path):
        held.set()
        signal.pause()


def test_a_lock_held_by_another_process_is_refused_until_that_is_killed(tmp_path: Path) -> None:
    held = FORK.Event()
    holder = FORK.Process(target=_hold, args=(tmp_path, held))
    holder.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(StorageError, match="another process is working here"),
            storage.lock(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.join()
    with storage.lock(tmp_path):
        pass


def test_a_lock_is_let_go_when_the_work_fails_and_never_touches_what_it_guards(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.jsonl"
    storage.append_line(path, "kept")
    with pytest.raises(RuntimeError, match="work"), storage.lock(path):
        raise RuntimeError("work")
    with storage.lock(tmp_path / "not" / "there" / "yet.jsonl"):
        assert (tmp_path / "not" / "there").is_dir()
    with storage.lock(path):
        assert storage.read_lines(path) == ["kept"]


# The cache


@pytest.mark.parametrize("shape", [(7,), (3, 5), (0,), ()])
def test_a_cached_array_comes_back_equal_and_writable(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    cache = storage.ArrayCache(tmp_path / "cache")
    assert cache.get("a key/with: anything") is None
    cache.put("a key/with: anything", array)
    again = cache.get("a key/with: anything")
    assert again is not None and again.dtype == np.float32 and again.flags.writeable
    np.testing.assert_array_equal(again, array)
    assert again.shape == shape
    assert cache.get("another key") is None


def test_a_transposed_array_keeps_its_values(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    cache = storage.ArrayCache(tmp_path)
    cache.put("key", array)
    np.testing.assert_array_equal(cache.get("key"), array)


def test_a_cache_entry_is_a_plain_npy_file(tmp_path: Path) -> None:
    array = np.arange(5, dtype=np.float32)
    storage.ArrayCache(tmp_path).put("key", array)
    (entry,) = tmp_path.iterdir()
    np.testing.assert_array_equal(np.load(entry, allow_pickle=False), array)


def test_a_damaged_entry_is_missing_and_can_be_made_again(tmp_path: Path) -> None:
    array = np.arange(100, dtype=np.float32)
    cache = storage.ArrayCache(tmp_path)
    cache.put("key", array)
    (entry,) = tmp_path.iterdir()
    whole = entry.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 1
    for damaged in (b"", bytes(4), bytes(len(whole)), whole[:-1], whole[:50], bytes(flipped)):
        entry.write_bytes(damaged)
        assert cache.get("key") is None
        cache.put("key", array)
        np.testing.assert_array_equal(cache.get("key"), array)


def test_a_pickle_in_the_cache_is_never_opened(tmp_path: Path) -> None:
    cache = storage.ArrayCache(tmp_path)
    cache.put("key", np.zeros(3, np.float32))
    (entry,) = tmp_path.iterdir()
    objects = np.array([{"a": 1}], dtype=object)
    np.save(entry, objects, allow_pickle=True)
    assert cache.get("key") is None
    entry.write_bytes(entry.read_bytes() + sha256(entry.read_bytes()).digest())
    assert cache.get("key") is None, "though whoever wrote it knew our check"


def test_a_folder_is_no_name_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="a folder; expected the name of a file"):
        storage.write_atomically(Path(), b"")


def test_a_user_who_is_unknown_is_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert storage.expanded("~/a") == Path("/somewhere/a")
    assert storage.expanded("~nobody of this name/a") == Path("~nobody of this name/a")


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave an empty file under the name of a whole one."""
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        calls.append(f"sync of {os.fstat(descriptor).st_size}")
        sync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        calls.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", renamed)
    storage.write_atomically(tmp_path / "a", b"whole")
    assert calls[:2] == ["sync of 5", "name"]
    calls.clear()
    storage.append_line(tmp_path / "b", "line")
    assert calls == ["sync of 5"]


def test_an_error_without_a_number_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(descriptor: int) -> None:
        raise OSError("odd")

    monkeypatch.setattr(os, "fsync", odd)
    with pytest.raises(StorageError, match=r"a: cannot be written \(odd\)\. Check"):
        storage.write_atomically(tmp_path / "a", b"")


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_is_not(
    tmp_path: Path,
) -> None:
    left, fresh, held = (tmp_path / f"clip.npy.{number:08x}.part" for number in range(3))
    other = tmp_path / "my.part"
    for path in (left, fresh, held, other):
        path.write_bytes(b"half")
    for path in (left, held, other):
        os.utime(path, (0, 0))
    with held.open("rb") as file:
        storage._hold(file)
        storage._clear_left_over.cache_clear()
        storage.write_atomically(tmp_path / "clip.npy", b"whole")
    assert not left.exists() and fresh.exists() and held.exists() and other.exists()


@pytest.mark.parametrize("name", ["x" * 255, "ж" * 127, "x" * 242])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    storage.write_atomically(tmp_path / name, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
