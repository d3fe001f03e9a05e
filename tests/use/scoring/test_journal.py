"""The journal of a scoring by itself: what it keeps, forgets and refuses."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from emelia.errors import StorageError
from emelia.use.scoring import journal as module
from emelia.use.scoring.journal import Journal, mark_of

ABOUT = {"model": "a"}
ROWS = {"": ("anger", 0.5)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


def test_what_fails_now_has_no_row_any_more_and_is_tried_again(path: Path) -> None:
    with Journal(path, ABOUT) as journal:
        journal.add("a.wav", (1, 2), ROWS)
        assert journal.has("a.wav", (1, 2)) and not journal.has("a.wav", (1, 3))
        assert journal.reason("a.wav") is None
        journal.add_failure("a.wav", "it is damaged")
        assert journal.reason("a.wav") == "it is damaged"
        assert not journal.has("a.wav", (1, 2)) and journal.rows("a.wav") == {}
    with Journal(path, ABOUT) as journal:
        assert journal.reason("a.wav") is None


def test_rows_of_channels_come_back_by_their_names(path: Path) -> None:
    rows = {"1": ("anger", 0.5), "2": ("no speech", None)}
    with Journal(path, ABOUT) as journal:
        journal.add("a.wav", (1, 2), rows)
    with Journal(path, ABOUT) as journal:
        assert journal.rows("a.wav") == rows


def test_a_second_one_is_refused_at_once(path: Path) -> None:
    with Journal(path, ABOUT):
        begun = time.monotonic()
        with pytest.raises(StorageError, match="another process is working here"):
            Journal(path, ABOUT)
        assert time.monotonic() - begun < 0.9


def test_one_of_other_settings_is_refused_and_let_go(path: Path) -> None:
    with Journal(path, ABOUT):
        pass
    with pytest.raises(StorageError, match="begun with model a, now it is b") as caught:
        Journal(path, {"model": "b"})
    with Journal(path, ABOUT):
        assert caught.value  # which holds on to the one that was refused


@pytest.mark.parametrize(("every", "kept"), [(-1.0, 1), (1e9, 0)])
def test_a_kill_costs_no_more_than_the_time_between_two_commits(
    path: Path, every: float, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMMIT_EVERY", every)
    with Journal(path, ABOUT) as journal:
        journal.add("a.wav", (1, 2), ROWS)
        shutil.copy(path, path.with_name("killed"))
        journal.add_failure("b.wav", "it is damaged")
        shutil.copy(path, path.with_name("later"))
    for name, table in (("killed", "rows"), ("later", "failures")):
        base = sqlite3.connect(path.with_name(name))
        assert base.execute(f"SELECT count(*) FROM {table}").fetchone() == (kept,)
        base.close()


def test_a_file_that_is_not_there_has_a_mark_of_its_own(tmp_path: Path) -> None:
    assert mark_of(str(tmp_path / "none.wav")) == (0, 0)


def test_a_file_that_another_replaced_has_another_mark_though_its_date_is_that_of_before(
    tmp_path: Path,
) -> None:
    (file := tmp_path / "a.wav").write_bytes(b"one")
    os.utime(file, ns=(10**18, 10**18))
    before = mark_of(str(file))
    time.sleep(0.02)  # the clock of file systems ticks every few milliseconds
    file.write_bytes(b"two")
    os.utime(file, ns=(10**18, 10**18))
    assert mark_of(str(file)) != before


def test_only_an_object_store_is_asked_for_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "a.wav").write_bytes(b"one")
    monkeypatch.setattr(module, "mark_of_object", lambda path: (7, 7))
    assert mark_of("s3://calls/a.wav") == (7, 7)
    assert mark_of(str(file))[0] == 3
