"""Recordings in an object store are found, heard and remembered as those on a disk."""

from __future__ import annotations

import csv
import functools
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import soundfile
from vowels import vowels

from emelia import load
from emelia.errors import AudioError
from emelia.use.inputs import Excerpt, recordings
from emelia.use.scoring.journal import mark_of
from emelia.use.scoring.run import score

fsspec = pytest.importorskip("fsspec", reason="pip install 'emelia[objects]'")
RATE = 16_000  # Hz


@pytest.fixture
def store() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    sound = io.BytesIO()
    soundfile.write(sound, vowels()[:RATE], RATE, format="WAV")
    for name in ("b.wav", "deep/a.wav"):
        files.pipe(f"/calls/{name}", sound.getvalue())
    files.pipe("/calls/notes.txt", b"none")
    yield "memory://calls"
    files.rm("/calls", recursive=True)


def test_a_place_is_searched_and_its_recordings_are_heard(store: str, tmp_path: Path) -> None:
    found = recordings(store)
    assert found == ["memory:///calls/b.wav", "memory:///calls/deep/a.wav"]
    soundfile.write(tmp_path / "same.wav", vowels()[:RATE], RATE)
    recognizer = load("aesdd")
    there, here = recognizer.predict(found[0]), recognizer.predict(tmp_path / "same.wav")
    assert there.probabilities == pytest.approx(here.probabilities)
    assert mark_of(str(found[0]))[0] == (tmp_path / "same.wav").stat().st_size
    with pytest.raises(AudioError, match="no such object"):
        recognizer.predict("memory://calls/x.wav")
    with pytest.raises(AudioError, match="no recordings here"):
        recordings("memory://calls/nothing")
    with pytest.raises(AudioError, match="no such file"):
        recordings("file:///etc/x.wav")  # addresses of this machine are no way around its paths


def test_a_list_as_parquet_names_objects_files_and_segments(store: str, tmp_path: Path) -> None:
    table = {"path": ["memory://calls/b.wav", "x.wav"], "start": [0.2, None], "end": [0.9, None]}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "list.parquet")
    first, second = recordings(tmp_path / "list.parquet")
    assert isinstance(first, Excerpt) and first.path == "memory://calls/b.wav"
    assert second == str(tmp_path / "x.wav")


def test_a_web_address_is_scored_by_other_processes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", vowels()[:RATE], RATE)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "list.txt").write_text(f"{address}/a.wav\n{address}/none.wav\n")
        tally = score(tmp_path / "list.txt", tmp_path / "out.csv", model="aesdd")
        server.shutdown()
    assert (tally.scored, tally.failed) == (1, 1)
    rows = list(csv.DictReader((tmp_path / "out.failures.csv").read_text().splitlines()))
    assert rows == [{"path": f"{address}/none.wav", "reason": "no such object."}]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *told: object) -> None:
        """Tell nobody."""
