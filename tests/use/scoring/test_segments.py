"""Scoring follows long recordings over time, writes segments, and takes speaker turns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from vowels import vowels

from emelia import load
from emelia.audio.excerpts import Span
from emelia.config.thresholds import Thresholds
from emelia.errors import AudioError, ConfigError
from emelia.use.inputs import Excerpt
from emelia.use.scoring.overall import overall
from emelia.use.scoring.run import score
from emelia.use.timeline.turns import turns_of

RATE = 16_000  # Hz
RTTM = (
    "; a remark\n"
    "SPEAKER call 1 0.0 1.5 <NA> <NA> anna <NA> <NA>\n"
    "LEXEME call 1 0.2 0.3 hello lex anna <NA>\n"
    "SPEAKER call 1 1.5 1.0 <NA> <NA> Γιώργος <NA> <NA>\n"
)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_recordings_of_any_length_get_a_row_and_their_segments_once(tmp_path: Path) -> None:
    (talks := tmp_path / "talks" / "inner").mkdir(parents=True)
    wave = vowels(3.0)
    soundfile.write(talks / "long.wav", np.append(wave, np.zeros(301 * RATE, np.float32)), RATE)
    soundfile.write(talks.parent / "short.wav", wave, RATE)
    out, folder = tmp_path / "scores.csv", tmp_path / "segments"
    tally = score(talks.parent, out, model="aesdd", timelines=folder)
    assert (tally.scored, tally.failed) == (2, 0)
    long, short = rows(out)
    assert float(long["seconds"]) == pytest.approx(304, abs=0.1) and float(long["speech"]) > 1
    assert long["emotion"] == rows(folder / "inner/long.wav.csv")[0]["emotion"]
    assert len(rows(folder / "short.wav.csv")) >= 1 and float(short["seconds"]) == 3
    (folder / "short.wav.csv").unlink()
    again = score(talks.parent, out, model="aesdd", timelines=folder)
    assert (again.kept, again.scored) == (1, 1) and (folder / "short.wav.csv").is_file()


def test_the_row_of_a_long_recording_is_the_mean_over_its_speech() -> None:
    recognizer = load("aesdd")
    timeline = recognizer.timeline(vowels(6.0), rate=RATE)
    told = overall(timeline, recognizer.thresholds)
    assert sum(told.probabilities.values()) == pytest.approx(1)
    weights = [s.end - s.start for s in timeline.segments]
    angers = [s.probabilities["anger"] for s in timeline.segments]
    assert told.probabilities["anger"] == pytest.approx(np.average(angers, weights=weights))
    silent = recognizer.timeline((np.zeros(RATE, np.float32), RATE))
    assert overall(silent, Thresholds(0.5)).emotion == "no speech"


def test_each_speaker_turn_gets_an_answer(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", vowels(3.0), RATE)
    (turns := tmp_path / "turns.rttm").write_text(RTTM)
    out = tmp_path / "scores.csv"
    score(tmp_path / "call.wav", out, model="aesdd", speakers=turns)
    told = [(row["start"], row["end"], row["speaker"]) for row in rows(out)]
    assert told == [("0.0", "1.5", "anna"), ("1.5", "2.5", "Γιώργος")]
    with pytest.raises(ConfigError, match="no timelines"):
        score(tmp_path / "call.wav", out, speakers=turns, timelines=tmp_path / "s")


def test_each_turn_of_a_call_is_heard_in_its_channel(tmp_path: Path) -> None:
    sides = [np.r_[vowels(1.0), np.zeros(RATE)], np.r_[np.zeros(RATE), vowels(1.0)]]
    soundfile.write(call := tmp_path / "call.wav", np.stack(sides, axis=1), RATE)
    (turns := tmp_path / "call.rttm").write_text(
        "SPEAKER call 1 0 1 <NA> <NA> anna <NA> <NA>\nSPEAKER call 2 0 1 <NA> <NA> bo <NA> <NA>\n"
        "SPEAKER call 2 1 1 <NA> <NA> bo <NA> <NA>\n"
    )
    told = load("aesdd").predict_many(turns_of([str(call)], turns))
    assert [answer.speech > 0 for answer in told] == [True, False, True]
    assert not any(answer.warnings for answer in told), "nothing was mixed"
    turns.write_text(turns.read_text().replace("call 2", "call 1"))
    mixed = load("aesdd").predict_many(turns_of([str(call)], turns))
    assert all(answer.speech > 0 for answer in mixed)
    turns.write_text(turns.read_text().replace("call 1", "call 3", 1))
    with pytest.raises(AudioError, match="2 channels, and no channel 3"):
        load("aesdd").predict(turns_of([str(call)], turns)[0])


def test_turns_belong_to_the_recording_of_their_name(tmp_path: Path) -> None:
    (turns := tmp_path / "turns.rttm").write_text(RTTM)
    first = Excerpt("a/call.wav", Span(0, 1.5), speaker="anna")
    assert turns_of(["a/call.wav"], turns)[0] == first
    assert turns_of(["other.mp3"], turns)[1].speaker == "Γιώργος"  # type: ignore[union-attr]
    with pytest.raises(AudioError, match=r"b\.wav: .* has no turns of it; it has those of call"):
        turns_of(["call.wav", "b.wav"], turns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no turns"),
        ("SPEAKER call 1 a 2 <NA> <NA> x <NA> <NA>", "line 1: expected SPEAKER"),
        ("SPEAKER call 1 1.0 0 <NA> <NA> x <NA> <NA>", "length above 0"),
        ("SPEAKER call", "line 1"),
        ("SPEAKER call 0 1.0 1 <NA> <NA> x <NA> <NA>", "channels are numbers from 1"),
    ],
)
def test_damaged_turns_are_named(text: str, message: str, tmp_path: Path) -> None:
    (turns := tmp_path / "turns.rttm").write_text(text)
    with pytest.raises(AudioError, match=message):
        turns_of(["call.wav"], turns)
