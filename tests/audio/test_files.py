"""A folder is searched for all that can be read; what cannot is counted and named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import soundfile
from conftest import RATE, voice

from emelia.audio.files import find_recordings
from emelia.corpora import read_corpus
from emelia.errors import AudioError, CorpusError
from emelia.use.inputs import recordings

FOUND = ("a.wav", "b.AMR", "c.amr", "d.mov")
NAMES = (*FOUND, "e.pcm", "f.ds2", "notes.txt", ".hidden.amr", "code.ts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"const a = 1;")
    return tmp_path


def found_in(folder: Path) -> tuple[list[str], list[str]]:
    found = find_recordings(folder)
    return [Path(name).name for name in found.files], found.lines()


def test_without_pyav_its_kinds_are_counted_with_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    names, lines = found_in(folder)
    assert names == ["a.wav"] and len(lines) == 4
    amr, _, mov, _ = lines
    assert amr.startswith("2 .amr files passed over: install PyAV with pip install 'emelia[media]'")
    assert "`ffmpeg -i b.AMR b.wav`" in amr
    assert mov.startswith("1 .mov file passed over: install PyAV")


def test_with_pyav_only_what_nothing_reads_is_passed_over(folder: Path) -> None:
    pytest.importorskip("av")
    names, lines = found_in(folder)
    assert names == list(FOUND)
    ds2, pcm = lines
    assert ds2.startswith("1 .ds2 file passed over: its format is not read here")
    assert pcm.startswith("1 .pcm file passed over: sound without a header")


def test_recordings_tell_what_they_pass_over(folder: Path) -> None:
    told: list[str] = []
    assert str(folder / "a.wav") in recordings(folder, told.append)
    assert all(line.startswith(f"{folder}: 1 .") for line in told) and told
    for path in folder.iterdir():
        if path.suffix != ".pcm":
            path.unlink()
    with pytest.raises(AudioError, match=r"no recordings here; .* 1 \.pcm file passed over"):
        recordings(folder)
    with pytest.raises(CorpusError, match=r"no recordings in this folder .* 1 \.pcm file passed"):
        read_corpus(folder)


def test_a_corpus_tells_of_what_it_passes_over_and_of_what_is_cut(tmp_path: Path) -> None:
    for number, label in enumerate(("anger", "calm")):
        (tmp_path / label).mkdir()
        for take in range(2):
            path = tmp_path / label / f"{take}.wav"
            soundfile.write(path, voice(150, 1, 2 * number + take), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "calm" / "2.dvf").touch()
    (tmp_path / "calm" / "0.avi").touch()
    for _ in range(2):  # what is amiss is told of each time
        corpus = read_corpus(tmp_path)
        assert corpus.counts() == {"anger": 2, "calm": 2}
        told = "\n".join(corpus.warnings)
        assert "1 .dvf file passed over" in told
        assert "calm/1.wav: 0.50 of 1.00 s could be read" in told
        assert "1 film passed over" in told or "1 .avi file passed over" in told
