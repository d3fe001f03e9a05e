"""Who felt what when: windows over speech, segments of them, files other programs read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import SUPPORT
from listeners import EMOTIONS, RATE, Loudness, cuts, hiss, talk
from memory import measured
from numpy.typing import NDArray
from toy_model import write_toy
from vowels import vowels

from emelia import load
from emelia.cli import timeline as command
from emelia.cli.timeline import run_timeline
from emelia.config.thresholds import Thresholds
from emelia.errors import ConfigError, StorageError
from emelia.show.answer.explanation import picture
from emelia.show.answer.timeline import timeline_figure
from emelia.use.formats import FORMATS, timestamp
from emelia.use.timeline import timeline as timelines
from emelia.use.timeline.envelope import Envelope
from emelia.use.timeline.segments import Segment, Segments
from emelia.use.timeline.timeline import Timeline, TimelineBuilder, WindowTable, timeline
from emelia.use.timeline.windows import Window, Windows

Captured = pytest.CaptureFixture[str]
Wave = NDArray[np.float32]


def windows_of(wave: Wave, **settings: float) -> list[Window]:
    windows = Windows(Loudness(), **settings)
    return windows.feed(wave) + windows.flush()


def spans(windows: list[Window]) -> list[tuple[float, float]]:
    return [(window.start, window.end) for window in windows]


def write(path: Path, wave: Wave) -> Path:
    soundfile.write(path, wave, RATE)
    return path


# Windows


def test_windows_follow_each_other_over_speech_and_a_last_one_ends_with_it() -> None:
    found = windows_of(talk(4, 6.4, 4))
    starts = [start for start, _ in spans(found)]
    assert starts[0] == pytest.approx(4, abs=0.25)
    assert np.diff(starts[:-1]) == pytest.approx(1)
    assert [w.end - w.start for w in found] == pytest.approx([3] * len(found))
    assert found[-1].end == pytest.approx(10.4, abs=0.25)
    assert [w.last for w in found] == [False] * (len(found) - 1) + [True]
    assert starts[-2] < starts[-1] <= starts[-2] + 1.01
    for window in found:
        assert tuple(window.probabilities) == EMOTIONS
        assert sum(window.probabilities.values()) == pytest.approx(1)


def test_speech_shorter_than_a_window_gets_one_of_what_there_is() -> None:
    (window,) = windows_of(talk(3, 1.2, 3))
    assert window.last
    assert (window.start, window.end) == pytest.approx((3, 4.2), abs=0.25)


def test_pauses_part_speech_only_where_they_are_long() -> None:
    assert len([w for w in windows_of(talk(2, 2, 0.4, 2, 2)) if w.last]) == 1
    assert len([w for w in windows_of(talk(2, 2, 2, 2, 2)) if w.last]) == 2


@pytest.mark.parametrize("sound", [hiss(20, 0.1), np.zeros(20 * RATE, np.float32), hiss(0)])
def test_without_speech_nobody_is_asked(sound: Wave) -> None:
    recognizer = Loudness()
    windows = Windows(recognizer)
    assert windows.feed(sound) + windows.flush() == []
    assert recognizer.asked == []


def test_a_recording_that_is_all_speech_is_covered_from_end_to_end() -> None:
    found = windows_of(vowels(7.37))
    assert found[0].start < 0.1
    assert found[-1].end == pytest.approx(7.37, abs=0.05) and found[-1].end <= 7.37


@pytest.mark.parametrize(("window", "hop"), [(3.0, 1.0), (0.5, 0.1), (2.0, 2.0), (10.0, 0.7)])
def test_windows_do_not_depend_on_how_the_sound_was_cut(window: float, hop: float) -> None:
    wave = talk(1, 5, 1.5, 0.8, 2, 3.21)
    expected = windows_of(wave, window=window, hop=hop)
    assert len(expected) > 2
    for seed in range(3):
        windows = Windows(Loudness(), window=window, hop=hop)
        found = [w for piece in cuts(wave, seed) for w in windows.feed(piece)]
        assert found + windows.flush() == expected


def test_each_window_hears_just_its_sound() -> None:
    wave = talk(1, 6, 1)
    heard: list[Wave] = []

    class Keeping(Loudness):
        def probabilities(self, waves):  # type: ignore[no-untyped-def]
            heard.extend(wave.copy() for wave in waves)
            return super().probabilities(waves)

    windows = Windows(Keeping())
    found = [w for piece in cuts(wave, 1) for w in windows.feed(piece)] + windows.flush()
    for window, sound in zip(found, heard, strict=True):
        first, last = round(window.start * RATE), round(window.end * RATE)
        np.testing.assert_array_equal(sound, wave[first:last])


def test_sound_that_is_no_longer_needed_is_forgotten() -> None:
    windows = Windows(Loudness())
    for seconds in (talk(30, 1), vowels(30), hiss(30)):
        windows.feed(seconds)
        assert len(windows._sound) < 5 * RATE
    assert windows.heard == pytest.approx(91, abs=0.01)


@pytest.mark.parametrize(
    ("window", "hop", "words"),
    [
        (0.4, 0.4, "window: 0.4 s; expected 0.5 to 30 s"),
        (31, 1, "window: 31 s"),
        (float("nan"), 1, "window: nan s"),
        (3, 0.05, "hop: 0.05 s; expected 0.1 to 30 s"),
        (2, 3, "leaves gaps; expected at most 2"),
    ],
)
def test_windows_that_make_no_sense_are_refused(window: float, hop: float, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        Windows(Loudness(), window=window, hop=hop)


# Segments


def heard(start: float, end: float, *shares: float, last: bool = False) -> Window:
    return Window(start, end, dict(zip(EMOTIONS, shares, strict=True)), last)


def segments_of(*windows: Window) -> list[Segment]:
    segments = Segments(EMOTIONS, Thresholds(0.5))
    return [segment for window in windows for segment in segments.feed(window)]


def test_a_moment_is_judged_by_the_mean_of_the_windows_that_cover_it() -> None:
    found = segments_of(
        heard(0, 3, 0.8, 0.2, 0.0),
        heard(1, 4, 0.6, 0.4, 0.0),
        heard(2, 5, 0.0, 1.0, 0.0, last=True),
    )
    # The means: [0, 1) 0.8 anger, [1, 2) 0.7 anger, [2, 3) 0.53 fear, [3, 4) 0.7, [4, 5) 1.
    assert [(s.start, s.end, s.emotion) for s in found] == [(0, 2, "anger"), (2, 5, "fear")]
    assert found[0].confidence == pytest.approx(0.75)
    assert found[1].confidence == pytest.approx((1.6 / 3 + 0.7 + 1) / 3)
    assert found[1].probabilities == pytest.approx(
        {"anger": (1.4 / 3 + 0.3) / 3, "fear": found[1].confidence, "sadness": 0}
    )


def test_equal_neighbours_are_one_segment_but_not_across_a_pause() -> None:
    found = segments_of(
        heard(0, 3, 1, 0, 0), heard(1, 4, 1, 0, 0), heard(1.5, 4.5, 1, 0, 0, last=True),
        heard(6, 7, 1, 0, 0, last=True),
    )  # fmt: skip
    assert [(s.start, s.end) for s in found] == [(0, 4.5), (6, 7)]


def test_a_segment_is_unsure_below_the_threshold() -> None:
    (sure,) = segments_of(heard(0, 1, 0.5, 0.3, 0.2, last=True))
    (unsure,) = segments_of(heard(0, 1, 0.49, 0.31, 0.2, last=True))
    assert (sure.unsure, unsure.unsure) == (False, True)


def test_the_rest_of_a_run_is_no_segment_of_its_own() -> None:
    found = segments_of(heard(0, 3, 1, 0, 0), heard(0.2, 3.2, 0, 1, 0, last=True))
    assert all(s.end - s.start >= 0.2 for s in found)
    assert found[-1].end == 3.2 and sum(s.end - s.start for s in found) == pytest.approx(3.2)
    assert [s.start for s in found[1:]] == [s.end for s in found[:-1]]


def test_segments_come_as_soon_as_they_are_over() -> None:
    segments = Segments(EMOTIONS, Thresholds(0.5))
    assert segments.feed(heard(0, 3, 1, 0, 0)) == []
    assert segments.feed(heard(1, 4, 0, 0, 1)) == []
    assert segments.feed(heard(2, 5, 0, 0, 1)) == []
    # What lies before second 3 is settled now.
    assert [(s.start, s.end) for s in segments.feed(heard(3, 6, 0, 0, 1))] == [(0, 2)]


# Timelines


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech from 2 to 7 and from 10 to 12.5 of 15 seconds."""
    return write(
        tmp_path_factory.mktemp("ήχοι και φωνές") / "η φωνή μου.flac", talk(2, 5, 3, 2.5, 2.5)
    )


@pytest.fixture(scope="module")
def found(recording: Path) -> Timeline:
    return timeline(Loudness(), recording)


def test_a_timeline_tells_where_speech_is_and_what_is_in_it(
    found: Timeline, recording: Path
) -> None:
    assert found.path == str(recording) and found.model == "toy"
    assert found.seconds == 15 and found.emotions == EMOTIONS
    ends = [(found.segments[0].start, 7), (10, found.segments[-1].end)]
    assert ends == [pytest.approx((2, 7), abs=0.3), pytest.approx((10, 12.5), abs=0.3)]
    assert found.speech == pytest.approx(7.5, abs=0.7)
    for segment in found.segments:
        best = max(segment.probabilities, key=lambda name: segment.probabilities[name])
        assert segment.emotion == best
        assert segment.confidence == segment.probabilities[best]


def test_a_timeline_is_the_same_from_a_path_bytes_and_a_file(recording: Path) -> None:
    expected = timeline(Loudness(), recording)
    with recording.open("rb") as file:
        for source in (str(recording), recording.read_bytes(), file):
            assert replace(timeline(Loudness(), source), path=str(recording)) == expected


def test_blocks_of_any_size_make_the_same_timeline(
    recording: Path, found: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (1_000, 77_777):
        monkeypatch.setattr("emelia.audio.sndfile._BLOCK", size)
        monkeypatch.setattr(timelines, "_BLOCK", 3_333)
        assert timeline(Loudness(), recording) == found


def test_progress_goes_up_to_the_whole_length(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emelia.audio.sndfile._BLOCK", 16_000)
    told: list[tuple[float, float]] = []
    timeline(Loudness(), recording, on_progress=lambda done, total: told.append((done, total)))
    done = [d for d, _ in told]
    assert done == sorted(done) and done[-1] == 15
    assert all(d <= total for d, total in told)
    assert told[-1][1] == pytest.approx(15, abs=0.1)


@pytest.mark.parametrize("seconds", [0.001, 0.4])
def test_a_recording_of_hardly_anything_is_a_timeline_too(tmp_path: Path, seconds: float) -> None:
    path = write(tmp_path / "short.wav", hiss(seconds))
    empty = timeline(Loudness(), path)
    assert empty.seconds == seconds and not empty.windows and not empty.segments


def test_a_recording_damaged_half_way_is_followed_so_far_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.flac", talk(1, 30))
    whole = timeline(Loudness(), path).seconds
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = timeline(Loudness(), path)
    assert 5 < found.seconds < whole - 5
    (warning,) = found.warnings
    assert warning.startswith(f"{found.seconds:.2f} of {whole:.2f} s could be read")
    assert found.to_dict()["warnings"] == [warning]


def test_a_real_model_answers_for_windows_as_for_clips(tmp_path: Path) -> None:
    recognizer = load(write_toy(tmp_path / "toy.onnx"))
    wave = talk(1, 5, 1)
    found = recognizer.timeline(write(tmp_path / "talk.wav", wave))
    samples, _ = soundfile.read(tmp_path / "talk.wav", dtype="float32")
    for window in found.windows:
        sound = samples[round(window.start * RATE) : round(window.end * RATE)]
        alone = recognizer.probabilities([sound])[0]
        assert list(window.probabilities.values()) == pytest.approx(alone.tolist(), abs=1e-6)


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 2.9])
@pytest.mark.parametrize("before", [0.0, 0.2, 3.0])
def test_one_utterance_has_the_answer_that_predict_gives(
    tmp_path: Path, seconds: float, before: float
) -> None:
    recognizer = load(write_toy(tmp_path / "toy.onnx"))
    clip = (talk(before, seconds, 0.5), RATE)
    (window,) = recognizer.timeline(clip).windows
    expected = recognizer.predict(clip)
    assert window.end - window.start == pytest.approx(expected.speech)
    assert window.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_windows_are_kept_small_and_come_back_whole() -> None:
    table = WindowTable(EMOTIONS)
    kept = [heard(k, k + 3, 0.5, 0.25, 0.25, last=k == 9) for k in range(10)]
    for window in kept:
        table.append(window)
    assert list(table) == kept and table == kept and len(table) == 10
    assert table[-1] == kept[-1] and table[2:4] == kept[2:4]
    with pytest.raises(IndexError):
        table[10]
    assert table._times.itemsize * 2 + table._probabilities.itemsize * 3 + 1 < 40  # bytes each


def test_the_outline_is_that_of_the_sound_at_any_length() -> None:
    wave = talk(1, 70, 33)
    envelope = Envelope()
    for piece in cuts(wave, 5):
        envelope.feed(piece)
    step, ranges = envelope.read()
    assert len(ranges) <= 4_001 and step == 0.04
    size = round(step * RATE)
    for place in (0, 100, len(ranges) - 1):
        part = wave[place * size : (place + 1) * size]
        assert ranges[place].tolist() == [part.min(), part.max()]
    assert Envelope().read()[1].shape == (0, 2)


@pytest.mark.parametrize("kind", ["speech", "silence"])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, kind: str) -> None:
    """Twenty minutes take hardly more than two."""
    code = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from listeners import Loudness\n"
        "from emelia.use.timeline.timeline import timeline\n"
        "timeline(Loudness(), sys.argv[1])\n"
    )
    minute = talk(0, 55, 5) if kind == "speech" else np.zeros(60 * RATE, np.float32)
    used = []
    for minutes in (2, 20):
        with soundfile.SoundFile(tmp_path / "long.flac", "w", RATE, 1) as file:
            for _ in range(minutes):
                file.write(minute)
        run, peak = measured(code, str(tmp_path / "long.flac"), str(SUPPORT))
        assert run.returncode == 0, run.stderr
        used.append(peak)
    assert used[1] < used[0] + 15


# Formats


def made(*segments: Segment, path: str = "talks/the talk.wav") -> Timeline:
    envelope = (0.01, np.zeros((10, 2), np.float32))
    return Timeline(path, 7300.0, WindowTable(EMOTIONS), segments, "toy", EMOTIONS, envelope)


def segment(start: float, end: float, emotion: str = "anger", unsure: bool = False) -> Segment:
    chances = dict(zip(EMOTIONS, (0.7, 0.2, 0.1), strict=True))
    return Segment(emotion, 0.7, chances, unsure, start, end)


LONG = made(segment(0, 1.2346), segment(1.2346, 3.0, unsure=True), segment(3661.0005, 7261.9996))


def test_json_is_the_timeline_on_one_line(found: Timeline) -> None:
    text = FORMATS["json"].write(found)
    assert text.count("\n") == 1 and text.endswith("\n")
    told = json.loads(text)
    assert told == json.loads(json.dumps(found.to_dict()))
    assert set(told) == {"path", "seconds", "speech", "model", "emotions", "segments", "windows"}
    assert len(told["windows"]) == len(found.windows) > 3


def test_csv_has_a_row_a_segment(found: Timeline) -> None:
    text = FORMATS["csv"].header(EMOTIONS) + FORMATS["csv"].write(LONG)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[1] == {
        "path": "talks/the talk.wav", "start": "1.235", "end": "3.000", "emotion": "anger",
        "confidence": "0.7", "unsure": "true", "anger": "0.7", "fear": "0.2", "sadness": "0.1",
    }  # fmt: skip


def test_csv_survives_names_with_commas_quotes_and_line_breaks() -> None:
    odd = 'a "b", c\nd.wav'
    text = FORMATS["csv"].header(EMOTIONS) + FORMATS["csv"].write(made(segment(0, 1), path=odd))
    assert next(csv.DictReader(io.StringIO(text)))["path"] == odd


def test_rttm_lines_have_ten_fields_whatever_the_name() -> None:
    lines = FORMATS["rttm"].write(LONG).splitlines()
    assert lines[0] == "SPEAKER the_talk 1 0.000 1.235 <NA> <NA> anger 0.7000 <NA>"
    assert all(len(line.split(" ")) == 10 for line in lines)
    odd = made(segment(0, 1, "deep sorrow"), path="\tx  y\n.wav")
    assert FORMATS["rttm"].write(odd).split(" ")[1:8:6] == ["x_y", "deep_sorrow"]
    assert FORMATS["rttm"].write(made(segment(0, 1), path="")).split(" ")[1] == "<NA>"


def test_audacity_labels_are_parted_by_tabs() -> None:
    lines = FORMATS["audacity"].write(LONG).splitlines()
    assert lines[0] == "0.000000\t1.235000\tanger 70 %"
    assert lines[1] == "1.235000\t3.000000\tnot sure (anger 70 %)"


def test_srt_is_as_players_expect_it() -> None:
    cues = FORMATS["srt"].write(LONG).split("\n\n")
    assert cues[0] == "1\n00:00:00,000 --> 00:00:01,235\nanger 70 %"
    assert cues[2] == "3\n01:01:01,000 --> 02:01:02,000\nanger 70 %"
    assert cues[3] == ""


def test_vtt_is_as_browsers_expect_it() -> None:
    odd = made(segment(0.5, 1, "a<b>&c --> d\n"))
    text = FORMATS["vtt"].header(EMOTIONS) + FORMATS["vtt"].write(odd)
    assert text == ("WEBVTT\n\n00:00:00.500 --> 00:00:01.000\na&lt;b&gt;&amp;c --&gt; d 70 %\n\n")


@pytest.mark.parametrize("name", ["csv", "rttm", "audacity", "srt", "vtt"])
def test_a_span_that_rounds_to_nothing_is_left_out(name: str) -> None:
    write_ = FORMATS[name].write
    assert write_(made(segment(1.0001, 1.0004), segment(2, 3))) == write_(made(segment(2, 3)))
    assert write_(made()) == ""


def test_spans_that_touch_still_touch_and_never_overlap_when_rounded() -> None:
    times = np.cumsum(np.random.default_rng(0).random(50))
    parts = [segment(a, b) for a, b in pairwise(times)]
    rows = [line.split("\t") for line in FORMATS["audacity"].write(made(*parts)).splitlines()]
    assert all(a[1] == b[0] for a, b in pairwise(rows))
    assert all(float(a) < float(b) for a, b, _ in rows)


def test_clocks_carry_over() -> None:
    assert timestamp(59.9996) == "00:01:00.000"
    assert timestamp(100 * 3600, ",") == "100:00:00,000"


# The command


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    return load(write_toy(tmp_path_factory.mktemp("models") / "toy.onnx"))


@pytest.fixture
def run(recognizer, capsys: Captured) -> Callable[..., tuple[int, str, str]]:  # type: ignore[no-untyped-def]
    def ask(*names: Path, format_: str = "text", **options: Path) -> tuple[int, str, str]:
        failures = run_timeline(
            recognizer, [str(name) for name in names], window=3, hop=1, format_=format_, **options
        )
        return failures, *capsys.readouterr()

    return ask


Run = Callable[..., tuple[int, str, str]]


def test_text_is_a_table_of_segments(run: Run, recording: Path, tmp_path: Path) -> None:
    quiet = write(tmp_path / "quiet.wav", hiss(5))
    failures, out, _ = run(recording, quiet, segments=True)
    assert failures == 0
    assert f"{recording}: 0:15, 0:0" in out and "from" in out and "lasts" in out
    assert re.search(r"0:0[12]\.\d +0:07\.\d +\d\.\d s +(not sure \()?[a-z]+ \d+ %", out)
    assert f"{quiet}: 0:05, no speech." in out


def test_one_bad_recording_does_not_stop_the_rest(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    (text := tmp_path / "text.wav").write_text("not sound at all")
    failures, out, err = run(text, tmp_path / "gone.wav", recording, format_="csv")
    assert failures == 2
    assert f"{text}: not a known format" in err and "gone.wav: no such file." in err
    assert {row["path"] for row in csv.DictReader(io.StringIO(out))} == {str(recording)}


def test_what_was_found_before_an_early_end_is_written(
    run: Run, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, usual = tmp_path / "all.csv", command._timelines

    def until_ctrl_c(recognizer: Any, name: str, *rest: Any) -> list[Timeline]:
        if name.endswith("second.wav"):
            raise KeyboardInterrupt
        return usual(recognizer, name, *rest)

    monkeypatch.setattr(command, "_timelines", until_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run(recording, tmp_path / "second.wav", format_="csv", out=out)
    with out.open() as file:
        assert {row["path"] for row in csv.DictReader(file)} == {str(recording)}


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    run: Run, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_timelines", None)  # it must not come to that
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        run(recording, format_="csv", out=tmp_path / "file" / "all.csv")


def test_several_recordings_share_a_stream_where_the_format_allows(
    run: Run, recording: Path
) -> None:
    _, out, _ = run(recording, recording, format_="json")
    assert [json.loads(line)["path"] for line in out.splitlines()] == [str(recording)] * 2
    _, out, _ = run(recording, recording, format_="csv")
    assert out.count("path,start") == 1
    with pytest.raises(ConfigError, match="srt of 2 recordings needs a folder"):
        run(recording, recording, format_="srt")


def test_files_are_written_to_a_folder_or_to_one_file(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new folder"
    _, out, _ = run(recording, recording, format_="vtt", out=folder)
    assert sorted(p.name for p in folder.iterdir()) == ["η φωνή μου-2.vtt", "η φωνή μου.vtt"]
    assert (folder / "η φωνή μου.vtt").read_text(encoding="utf-8").startswith("WEBVTT\n\n00:")
    assert out.count("Written: ") == 2
    run(recording, recording, format_="csv", out=tmp_path / "all.csv")
    text = (tmp_path / "all.csv").read_text(encoding="utf-8")
    assert text.count("path,") == 1 and text.count("η φωνή μου") >= 4
    run(recording, format_="srt", out=tmp_path / "one.srt")
    assert (tmp_path / "one.srt").read_text(encoding="utf-8").startswith("1\n00:00:")


def test_options_that_cannot_work_are_refused_before_the_work(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    for words, options in {
        "a table is for the screen": {"out": tmp_path / "x"},
        "draws one recording; 2 were given": {"picture": tmp_path / "x.png"},
        "expected text, json": {"format_": "xml"},
    }.items():
        with pytest.raises(ConfigError, match=words):
            run(recording, recording, **options)
    with pytest.raises(ConfigError, match=r"expected a picture named \.png"):
        run(recording, picture=tmp_path / "x.gif")


def test_a_long_recording_shows_progress(
    run: Run, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emelia.cli.timeline._LONG", 10.0)
    _, _, err = run(recording, format_="json")
    assert "η φωνή μου.flac: 100/100" in err and "0:15 of about 0:15" in err
    assert "η φωνή μου.flac: done in" in err


# The picture


def test_a_timeline_is_drawn_with_all_that_is_in_it(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    _, out, _ = run(recording, picture=tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert f"Picture: {tmp_path / 'a.png'}" in out


def test_the_picture_names_emotions_hatches_doubt_and_leaves_silence_blank() -> None:
    pytest.importorskip("matplotlib")
    windows = [heard(0, 3, 1, 0, 0), heard(5, 8, 0.4, 0.3, 0.3)]
    parts = [segment(0, 3), segment(5, 8, unsure=True)]
    envelope = (0.01, np.zeros((1_000, 2), np.float32))
    figure = timeline_figure("a $title$ & more", 10, envelope, EMOTIONS, windows, parts)
    band, wave, *curves = figure.axes
    assert [text.get_text() for text in band.texts] == ["anger", "not sure"]
    plain, hatched = band.collections
    assert plain.get_hatch() is None and hatched.get_hatch()
    assert [axes.get_ylabel() for axes in curves] == list(EMOTIONS)
    drawn = curves[0].lines[0].get_ydata()
    assert np.isnan(drawn[len(drawn) * 4 // 10]) and drawn[len(drawn) // 10] == 0
    assert wave.get_ylabel() == "waveform"
    assert b"</svg>" in picture(figure, ".svg")


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.3, 50_000.0])
def test_a_picture_can_be_drawn_of_any_length(seconds: float) -> None:
    pytest.importorskip("matplotlib")
    empty = (0.01, np.zeros((0, 2), np.float32))
    assert picture(timeline_figure("", seconds, empty, ("joy", "grief"), [], []), ".png")


def test_a_builder_can_be_asked_between_pieces() -> None:
    builder = TimelineBuilder(Loudness())
    assert builder.feed(talk(1, 6)) == []  # it may be all there is
    assert builder.seconds == pytest.approx(7)
    events = builder.feed(hiss(60))
    assert events
    builder.feed(hiss(3))
    builder.flush()
    windows = [event for event in events if isinstance(event, Window)]
    assert windows == list(builder.build("live").windows)
