"""Live sound gives what the recording of it gives, however it comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from listeners import RATE, Loudness, cuts, hiss, talk
from toy_model import write_toy

from emelia import Live, load
from emelia.audio import resample
from emelia.errors import AudioError, ConfigError
from emelia.use.timeline.live import Event
from emelia.use.timeline.segments import Segment
from emelia.use.timeline.timeline import timeline
from emelia.use.timeline.windows import Window

WAVE = talk(1, 6, 1.5, 0.9, 1, 3.3, 1)


def all_of(live: Live, pieces: list[np.ndarray]) -> list[Event]:
    return [event for piece in pieces for event in live.feed(piece)] + live.flush()


@pytest.mark.parametrize("seed", range(4))
def test_events_do_not_depend_on_how_the_sound_was_cut(seed: int) -> None:
    expected = all_of(Live(Loudness()), [WAVE])
    assert all_of(Live(Loudness()), cuts(WAVE, seed)) == expected


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_that_holds_at_any_rate(rate: int) -> None:
    wave = np.asarray(resample(WAVE, RATE, rate), np.float32)
    expected = all_of(Live(Loudness(), rate=rate), [wave])
    assert all_of(Live(Loudness(), rate=rate), cuts(wave, rate)) == expected
    assert len(expected) > 6


def test_blocks_of_a_few_milliseconds_are_as_good_as_any(tmp_path: Path) -> None:
    recognizer = load(write_toy(tmp_path / "toy.onnx"))
    pieces = [WAVE[at : at + 160] for at in range(0, len(WAVE), 160)]
    assert all_of(recognizer.live(), pieces) == all_of(recognizer.live(), [WAVE])


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_live_equals_the_timeline_of_a_recording_of_over_a_minute(
    tmp_path: Path, rate: int
) -> None:
    wave = np.asarray(resample(np.tile(WAVE, 5), RATE, rate), np.float32)
    soundfile.write(tmp_path / "talk.wav", wave, rate, "FLOAT")
    found = timeline(Loudness(), tmp_path / "talk.wav", window=2, hop=0.5)
    events = all_of(Live(Loudness(), rate=rate, window=2, hop=0.5), cuts(wave, 9))
    windows = [event for event in events if isinstance(event, Window)]
    segments = [event for event in events if isinstance(event, Segment)]
    assert len(windows) > 10 and windows == list(found.windows)
    assert segments == list(found.segments)


def test_events_come_soon_after_the_sound_they_speak_of() -> None:
    live = Live(Loudness())
    windows = 0
    for at in range(0, len(WAVE), 1600):
        for event in live.feed(WAVE[at : at + 1600]):
            if isinstance(event, Window) and not event.last:
                windows += 1
                assert live.seconds - event.end <= 0.75
            if isinstance(event, Segment):
                assert live.seconds - event.end < 4
        assert 0 <= live.lag < 3.7
    assert windows > 3


def test_the_lag_of_silence_is_less_than_a_second() -> None:
    live = Live(Loudness())
    for _ in range(50):
        assert live.feed(hiss(0.1)) == []
        assert live.lag < 0.6
    assert live.seconds == pytest.approx(5)


def test_a_segment_comes_after_the_windows_that_made_it() -> None:
    ends = 0.0
    for event in all_of(Live(Loudness()), [WAVE]):
        if isinstance(event, Window):
            ends = event.end
        else:
            assert event.end <= ends


def test_nothing_in_nothing_out() -> None:
    live = Live(Loudness(), rate=44_100)
    assert live.feed(np.zeros(0, np.float32)) == []
    assert live.flush() == []
    assert live.seconds == 0


def test_events_are_ready_for_json() -> None:
    for event in all_of(Live(Loudness()), [WAVE]):
        told = event.to_dict()
        assert 0 <= told["start"] < told["end"] <= len(WAVE) / RATE
        assert sum(told["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_rate_or_a_window_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(AudioError, match="12 Hz"):
        Live(Loudness(), rate=12)
    with pytest.raises(ConfigError, match="window"):
        Live(Loudness(), window=0)
