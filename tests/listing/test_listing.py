"""Tables as programs write them: separators, encodings, missing values, times, names of files."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

import pytest

from emelia.audio.excerpts import Span
from emelia.listing.columns import pick
from emelia.listing.finding import as_on_disk, find_file
from emelia.listing.raters import labels_in, majority
from emelia.listing.sheet import is_missing, read_sheet, read_text
from emelia.listing.spans import seconds, span_of, without_other_times

ROLES = ("file", "emotion", "speaker", "start", "end", "duration")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_table_reads_alike_however_it_is_written(separator: str, end: str, quote: str) -> None:
    rows = [["id", "path"], ["1", "a/0.ogg"], ["2", "b c.ogg"]]
    text = "".join(separator.join(f"{quote}{c}{quote}" for c in row) + end for row in rows)
    sheet = read_sheet(text.replace(separator, f"{separator} "))
    assert sheet.columns == ("id", "path")
    assert [line.cells for line in sheet.lines] == (
        [{"id": "1", "path": "a/0.ogg"}, {"id": "2", "path": "b c.ogg"}]
    )
    assert [line.number for line in sheet.lines] == [2, 3]


def test_what_spreadsheets_add_does_not_count() -> None:
    sheet = read_sheet("sep=;\nid;path\n1;a.ogg;;\n\n;\n2;b,c.ogg\n")
    assert [line.cells["path"] for line in sheet.lines] == ["a.ogg", "b,c.ogg"]
    assert [line.number for line in sheet.lines] == [3, 6]


def test_a_row_of_another_length_is_named_and_the_others_are_read() -> None:
    first, second, third = read_sheet("a,b\n1,2,3\n4\n5,6\n").lines
    assert (first.number, first.problem) == (2, "3 cells, expected 2")
    assert (second.number, second.problem) == (3, "1 cell, expected 2")
    assert third.cells == {"a": "5", "b": "6"}
    with pytest.raises(ValueError, match="not valid CSV after line 2"):
        read_sheet('a,b\n1,2\n"3,4\n')


@pytest.mark.parametrize(
    "data",
    [
        "path\nχαρά.ogg\n".encode(),
        "path\nχαρά.ogg\n".encode("utf-8-sig"),
        "path\nχαρά.ogg\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "path\nχαρά.ogg\n".encode("utf-16-be"),
    ],
)
def test_text_is_read_in_the_encodings_of_excel(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(data)
    assert read_text(tmp_path / "list.csv") == "path\nχαρά.ogg\n"


@pytest.mark.parametrize("data", [b"\xe9t\xe9\n", b"a\0b\n", codecs.BOM_UTF16_LE + b"\x00\xd8"])
def test_other_encodings_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(ValueError, match="not UTF-8"):
        read_text(tmp_path / "list.csv")


def test_missing_values_are_no_words() -> None:
    assert all(map(is_missing, ["", " ", "nan", "NaN", "NA", "N/A", "None", "null", "-", "<NA>"]))
    assert not any(map(is_missing, ["0", "anna", "nana", "no", "none of these"]))


def test_columns_are_found_by_usual_names_or_as_they_are_called() -> None:
    def found(header: str, **chosen: str) -> dict[str, str]:
        return pick(header.split(","), chosen, ROLES)

    assert found("Path,Emotions") == {"file": "Path", "emotion": "Emotions"}
    assert found("FileName,EmoClass,SpkrID")["speaker"] == "SpkrID"
    assert found("wav,label,emotion,who", speaker="who") == (
        {"file": "wav", "emotion": "emotion", "speaker": "who"}
    )
    assert found("file,label,class", emotion="Class")["emotion"] == "class"
    assert found("file,onset,offset") == {"file": "file", "start": "onset", "end": "offset"}
    assert found("file,offset,duration") == (
        {"file": "file", "start": "offset", "duration": "duration"}
    )
    assert found("file,offset") == {"file": "file"}
    assert found("file,duration") == {"file": "file"}
    assert found("Wav File,StartTime,End (s)") == (
        {"file": "Wav File", "start": "StartTime", "end": "End (s)"}
    )
    assert found("file,start,end", start="", end="") == {"file": "file"}
    with pytest.raises(ValueError, match="the column start_sample counts samples"):
        found("file,start_sample")
    with pytest.raises(ValueError, match="no column who; there are file, label"):
        found("file,label", speaker="who")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0),
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("1.5s", 1.5),
        ("0:01.5", 1.5),
        ("01:00:01.500", 3601.5),
        ("0 days 00:00:01.500000", 1.5),
        ("1 days 00:00:01", 86_401.0),
    ],
)
def test_times_are_read_as_pandas_and_people_write_them(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "1:2:3:4", "inf", "2024-01-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds(text)


def test_a_row_tells_a_span_or_the_whole_recording() -> None:
    columns = {"start": "a", "end": "b", "duration": "d"}

    def span(a: str, b: str, d: str = "") -> Span | None:
        return span_of({"a": a, "b": b, "d": d}, columns)

    assert span("1", "2") == (1, 2) and span("", "2") == (0, 2) and span("1", "") == (1, None)
    assert span("1", "nan", "0.5") == (1, 1.5)
    assert span("", "NaT") is None
    with pytest.raises(ValueError, match="ends at 1 s, not after its start at 2 s"):
        span("2", "1")


def test_milliseconds_are_told_by_the_name_of_the_column() -> None:
    columns = {"start": "start_ms", "end": "End (ms)"}
    assert span_of({"start_ms": "500", "End (ms)": "1500"}, columns) == (0.5, 1.5)


def test_a_column_without_any_time_tells_no_segments() -> None:
    columns = {"file": "file", "start": "start"}
    lines = read_sheet("file,start\na,Monday\nb,\n").lines
    assert without_other_times(columns, lines) == {"file": "file"}
    lines = read_sheet("file,start\na,Monday\nb,3\n").lines
    with pytest.raises(ValueError, match="none where they end"):
        without_other_times(columns, lines)
    columns["end"] = "end"
    lines = read_sheet("file,start,end\na,Monday,\nb,3,\n").lines
    assert without_other_times(columns, lines) == {"file": "file", "start": "start"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_files_are_found_however_their_accents_are_written(form: str, tmp_path: Path) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    place = (
        tmp_path / unicodedata.normalize(form, "Gespräche") / unicodedata.normalize(form, "ή.wav")
    )
    place.parent.mkdir()
    place.touch()
    asked = unicodedata.normalize(other, "Gespräche/ή.wav")
    assert find_file(tmp_path, asked) == as_on_disk(tmp_path / asked) == place
    late = place.with_name(unicodedata.normalize(form, "ö.wav"))
    late.touch()  # after the folder was listed
    assert find_file(tmp_path, unicodedata.normalize(other, "Gespräche/ö.wav")) == late


@pytest.mark.parametrize(
    "name",
    ["a/0.ogg", r"a\0.ogg", r".\a\0.ogg", "a/0", r"C:\data\set\a\0.ogg", "/kaggle/input/a/0.ogg"],
)
def test_files_are_found_as_other_machines_name_them(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/0.ogg").touch()
    assert find_file(tmp_path, name) == tmp_path / "a/0.ogg"


def test_a_missing_file_keeps_its_name(tmp_path: Path) -> None:
    assert find_file(tmp_path, r"a\1.ogg") == tmp_path / "a/1.ogg"
    (tmp_path / r"a\1.ogg").touch()  # a backslash may be part of a name
    assert find_file(tmp_path, r"a\1.ogg") == tmp_path / r"a\1.ogg"


def test_most_raters_decide() -> None:
    assert majority(["sad", "angry", "sad"]) == "sad" and majority(["", "sad"]) == "sad"
    assert majority(["sad", "angry"]) == majority([]) == ""


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("sad", ["sad"]),
        ("['sad', 'calm']", ["sad", "calm"]),
        ("['sad' 'calm']", ["sad", "calm"]),
        ('["sad", "calm"]', ["sad", "calm"]),
        ("[sad, calm]", ["sad", "calm"]),
    ],
)
def test_lists_of_labels_are_read_as_python_writes_them(cell: str, labels: list[str]) -> None:
    assert labels_in(cell) == labels
