"""What processing does is shown as it is: every step, in numbers that are right, harm included."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import voice
from html_page import HtmlPage
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import Wave
from emelia.cli import main
from emelia.config import AudioConfig
from emelia.corpora import Utterance, read_corpus
from emelia.errors import MissingExtraError
from emelia.show.process import page as processing
from emelia.show.process import tables
from emelia.show.process.noise import (
    CLEAN,
    METHODS,
    NOISES,
    SNRS,
    Gain,
    Task,
    cleanest,
    gains,
    made_noise,
    mix,
    segmental_snr,
    si_sdr,
    tasks,
)
from emelia.show.process.page import gather
from emelia.show.process.stages import (
    AT_16K,
    DECODED,
    FOUNDING,
    OURS,
    TRIMMED,
    Stage,
    changes,
    measured,
    plan,
    stages,
)

RATE = 16_000
RNG = np.random.default_rng


def hiss(seconds: float, level: float = 0.01, seed: int = 0) -> Wave:
    return np.asarray(level * RNG(seed).standard_normal(round(seconds * RATE)), dtype=np.float32)


def hum(seconds: float) -> Wave:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.5 * np.sin(2 * np.pi * 220 * time), dtype=np.float32)


def power(wave: NDArray[Any]) -> float:
    return float(10 * np.log10(np.mean(np.square(wave, dtype=np.float64))))


@pytest.fixture
def speech() -> Wave:
    """Three seconds like speech, with hardly any noise."""
    return voice(pitch=140.0, seconds=3.0, seed=1)


# The founding study's noise reduction


def test_the_founding_studys_gate_has_the_first_second_as_its_noise() -> None:
    noisereduce = pytest.importorskip("noisereduce")
    wave = hiss(3) + np.concatenate([np.zeros(RATE, np.float32), hum(2)])
    want = noisereduce.reduce_noise(wave, RATE, stationary=True, y_noise=wave[:RATE])
    np.testing.assert_array_equal(audio.reduce_noise_founding(wave, RATE), want.astype(np.float32))


def test_it_takes_noise_away_where_the_first_second_is_noise() -> None:
    wave = hiss(3) + np.concatenate([np.zeros(RATE, np.float32), hiss(2, level=0.5, seed=1)])
    heard = audio.reduce_noise_founding(wave, RATE)
    assert power(heard[: RATE // 2]) < power(wave[: RATE // 2]) - 15
    assert power(heard[3 * RATE // 2 :]) == pytest.approx(power(wave[3 * RATE // 2 :]), abs=1)


def test_it_takes_speech_away_where_the_first_second_is_speech_and_ours_does_not(
    speech: Wave,
) -> None:
    assert power(audio.reduce_noise_founding(speech, RATE)) < power(speech) - 3
    assert power(audio.reduce_noise(speech, RATE)) == pytest.approx(power(speech), abs=0.5)


@pytest.mark.parametrize("samples", [1, 500, 1023, 1024, 1500, 8000, 15_999])
def test_of_a_clip_shorter_than_a_second_all_is_noise_and_of_a_frame_nothing(samples: int) -> None:
    wave = hiss(1)[:samples]
    heard = audio.reduce_noise_founding(wave, RATE)
    assert heard.shape == wave.shape and heard.dtype == np.float32
    assert np.isfinite(heard).all() and not np.shares_memory(heard, wave)
    if samples < 1024:
        np.testing.assert_array_equal(heard, wave)
    else:
        assert power(heard) < power(wave) - 15


def test_it_leaves_silence_silent_and_its_input_as_it_was(speech: Wave) -> None:
    assert not audio.reduce_noise_founding(np.zeros(20_000, np.float32), RATE).any()
    before = speech.copy()
    audio.reduce_noise_founding(speech, RATE)
    np.testing.assert_array_equal(speech, before)


def test_a_missing_package_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch, speech: Wave
) -> None:
    monkeypatch.setitem(sys.modules, "noisereduce", None)
    for reduce in METHODS.values():
        with pytest.raises(MissingExtraError, match="noise reduction"):
            reduce(speech, RATE)


# Steps


@pytest.mark.parametrize(
    "config",
    [
        AudioConfig(),
        AudioConfig(denoise="quiet", trim_db=40),
        AudioConfig(denoise="founding", trim_db=30),
        AudioConfig(dc=False, denoise="quiet"),
    ],
)
def test_the_last_stage_is_what_preparing_gives(config: AudioConfig, speech: Wave) -> None:
    wave = audio.resample(speech, RATE, 44_100) + np.float32(0.02)
    made = stages(wave, 44_100, config)
    np.testing.assert_array_equal(made[-1].wave, audio.prepare(wave, 44_100, config))
    names = [stage.name for stage in made]
    assert names[:2] == [DECODED, AT_16K]
    assert {OURS, FOUNDING} < set(names), "both noise reductions are tried"
    assert [made[0].rate, *{stage.rate for stage in made[1:]}] == [44_100, RATE]
    assert all(stage.before in names for stage in made[1:])


def test_steps_go_on_from_the_noise_reduction_that_is_set() -> None:
    for kind, name in (("quiet", OURS), ("founding", FOUNDING), ("none", AT_16K)):
        config = AudioConfig(dc=False, denoise=kind, trim_db=40)  # type: ignore[arg-type]
        before = {step.name: step.before for step in plan(config)}
        assert before[TRIMMED] == name
        assert before[OURS] == before[FOUNDING] == AT_16K


def test_figures_of_a_stage_are_those_of_its_definition() -> None:
    heard = Stage("a tone", "", hum(2), RATE).figures
    assert heard.seconds == 2
    assert heard.level == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
    assert heard.peak == pytest.approx(20 * math.log10(0.5), abs=0.01)
    silent = Stage("silence", "", np.zeros(RATE, np.float32), RATE).figures
    assert (silent.level, silent.peak) == (-math.inf, -120)
    assert math.isnan(silent.snr)


def test_changes_of_a_corpus_are_told_step_by_step(small_corpus: Callable[..., Path]) -> None:
    config = AudioConfig(denoise="quiet", trim_db=40)
    clips = read_corpus(small_corpus()).utterances
    figures = np.array([measured((clip, config)) for clip in clips])
    assert figures.shape == (12, 7, 4)
    found = changes(figures, config)
    assert list(found) == [step.name for step in plan(config)]
    assert not found[AT_16K]["seconds"].any()
    assert (found[TRIMMED]["seconds"] <= 0).all()
    np.testing.assert_allclose(figures[:, -1, 2], 0, atol=1e-5)  # the peak is 1, 0 dB
    np.testing.assert_allclose(found["peak at 1"]["peak"], found["peak at 1"]["level"], atol=1e-3)
    again = np.array([measured((clip, config)) for clip in clips])
    np.testing.assert_array_equal(again, figures)  # from the cache


def test_a_recording_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF____WAVE")
    broken = Utterance("broken.wav", path, "anger", "1", digest="ab")
    for reason in (measured((broken, AudioConfig())), gains(Task(broken, ()))):
        assert isinstance(reason, str) and str(tmp_path) not in reason


# Known noise


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr", [20.0, 0.0])
def test_a_mixture_has_the_snr_it_is_asked_for(kind: str, snr: float, speech: Wave) -> None:
    noise = made_noise(kind, speech.size, RNG(0), [voice(200.0, 1.0, 2), voice(90.0, 5.0, 3)])
    mixed = mix(speech, noise, snr)
    assert power(speech) - power(mixed - speech) == pytest.approx(snr, abs=0.01)


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    spectrum = np.abs(np.fft.rfft(made_noise("pink", 10 * RATE, RNG(0)))) ** 2
    hertz = np.fft.rfftfreq(10 * RATE, 1 / RATE)
    octaves = [10 * np.log10(spectrum[(hertz >= f) & (hertz < 2 * f)].mean()) for f in
               (125, 250, 500, 1000, 2000, 4000)]  # fmt: skip
    np.testing.assert_allclose(np.diff(octaves), -3.01, atol=0.5)


def test_si_sdr_is_that_of_the_textbook_and_heeds_neither_level_nor_offset(speech: Wave) -> None:
    clean = speech - speech.mean()
    noise = RNG(0).standard_normal(clean.size)
    noise -= noise.mean()
    noise -= clean * (noise @ clean) / (clean @ clean)  # at right angles: nothing is speech
    for snr in (30, 10, -5):
        heard = mix(clean, noise, snr)
        assert si_sdr(heard, clean) == pytest.approx(snr, abs=0.01)
        assert si_sdr(0.1 * heard + np.float32(0.2), clean) == pytest.approx(snr, abs=0.01)
    assert si_sdr(clean, clean) == si_sdr(3 * clean, clean) == 100
    assert si_sdr(np.zeros_like(clean), clean) <= -100 or si_sdr(clean * 0, clean) == 100


def test_segmental_snr_is_the_mean_of_what_sounds_within_its_bounds() -> None:
    clean = np.concatenate([hum(1.024), np.zeros(RATE, np.float32)])
    assert segmental_snr(clean, clean) == 35
    assert segmental_snr(0 * clean, clean) == pytest.approx(0, abs=1e-6)
    assert segmental_snr(-9 * clean, clean) == -10
    assert segmental_snr(clean * np.float32(0.9), clean) == pytest.approx(20, abs=0.01)
    pause = clean.copy()
    pause[20_000:] = 0.1  # where there is no speech nothing counts
    assert segmental_snr(pause, clean) == 35


def spoken(speakers: int, clips: int) -> list[Utterance]:
    return [
        Utterance(f"{who}-{n}", Path(), "anger", str(who))
        for who in range(speakers)
        for n in range(clips)
    ]


def test_the_cleanest_recordings_are_of_all_speakers_alike() -> None:
    clips = spoken(4, 10)
    chosen = cleanest(clips, [float(n) for n in range(40)], 8)
    assert Counter(clip.speaker for clip in chosen) == dict.fromkeys("0123", 2)
    assert {clip.id for clip in chosen if clip.speaker == "1"} == {"1-9", "1-8"}
    assert len(cleanest(clips, [math.nan] * 40, 3)) == 3
    assert len(cleanest(clips, [1.0] * 40, 1000)) == 40


def test_voices_in_the_noise_are_of_other_people_where_there_are_any() -> None:
    for task in tasks(spoken(3, 5)):
        assert len(task.others) == 6
        assert all(other.speaker != task.clean.speaker for other in task.others)
    alone = tasks(spoken(1, 3))
    assert all(task.clean not in task.others and len(task.others) == 2 for task in alone)


def test_gains_are_measured_against_the_clean_speech(small_corpus: Callable[..., Path]) -> None:
    clips = read_corpus(small_corpus(seconds=2.5)).utterances
    found = gains(tasks(clips)[0])
    assert found == gains(tasks(clips)[0]), "the same every time"
    assert isinstance(found, list)
    assert Counter(g.method for g in found) == dict.fromkeys(METHODS, 1 + len(NOISES) * len(SNRS))
    by_key = {(g.noise, g.snr, g.method): g for g in found}
    assert by_key["white", 5.0, "ours"].si_sdr > 2
    ours, seeds = (by_key[CLEAN, math.inf, method].si_sdr for method in METHODS)
    assert ours > 20 > seeds, "the founding study's takes speech for noise"


# Intervals and tables


def test_harm_is_told_as_plainly_as_gain() -> None:
    made = [Gain("1", "white", 5.0, "ours", 2.0 + i / 10, 1.0) for i in range(5)]
    made += [Gain("1", "white", 5.0, "founding study's", -2.0 - i, -1.0) for i in range(5)]
    made += [Gain("1", CLEAN, math.inf, method, 12.0, 9.0) for method in METHODS]
    found = tables.means(made)
    text = tables.answer(found)
    assert "Our noise reduction brings noisy speech nearer" in text and "in 1 of 1" in text
    assert "The founding study's noise reduction" in text and "takes it further away in 1." in text
    rows = {row[1]: row for row in tables.of_gains(found, ["1"] * 10).rows}
    assert rows["ours"][-1] == "0 %" and rows["founding study's"][-1] == "100 %"
    assert rows["founding study's"][2].startswith("-4.0 (")
    assert tables.of_harm(found).rows[0][1].startswith("12.0 (")


# The command


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["emelia", "process", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return (code, *capsys.readouterr())

    return command


def test_a_recording_becomes_a_page_with_every_step_to_see_and_hear(
    run: Any, speech: Wave, tmp_path: Path
) -> None:
    pytest.importorskip("librosa")
    soundfile.write(tmp_path / "<b>a clip.wav", speech, RATE)
    code, out, err = run(tmp_path / "<b>a clip.wav", "--out", tmp_path / "out")
    assert code == 0, err
    for name in (DECODED, OURS, FOUNDING, TRIMMED, "peak at 1"):
        assert re.search(rf"^ *{name} ", out, re.MULTILINE)
    page = (tmp_path / "out/processing.html").read_text()
    shown = HtmlPage(page)
    shown.check_loads_nothing()
    assert all(link.startswith("#") for link in shown.values("href"))
    assert "&lt;b&gt;a clip.wav" in page and "<b>a clip" not in page
    assert page.count("<audio") == page.count("data:audio/wav;base64,") == 7
    sounds = sorted((tmp_path / "out/sound").iterdir())
    assert len(sounds) == 7
    heard, rate = soundfile.read(sounds[-1])
    assert rate == RATE and np.abs(heard).max() > 0.99
    assert {p.name for p in (tmp_path / "out/figures").iterdir()} == {
        "stages.pdf", "stages.png", "stages.svg",
    }  # fmt: skip


def test_a_corpus_becomes_a_page_with_what_noise_reduction_is_worth(
    run: Any,
    small_corpus: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("librosa")
    monkeypatch.setattr("emelia.show.process.page.MIXED", 3)  # each costs a second
    folder = small_corpus(seconds=1.2)
    (folder / "anger" / "9_01.wav").write_bytes(b"no sound")
    code, out, err = run(folder, "--out", tmp_path / "out", "--jobs", "1")
    assert code == 0, err
    assert "What each step changes" in out and "What is left of clean speech" in out
    assert "too narrow: fewer than 6 speakers" in out
    assert len(re.findall(r"^ *(?:white|pink|voices), \d+ dB ", out, re.MULTILINE)) == 18
    page = (tmp_path / "out/processing.html").read_text()
    assert "**" in (tmp_path / "out/processing.md").read_text()
    shown = HtmlPage(page)
    shown.check_loads_nothing()
    assert all(link.startswith("#") for link in shown.values("href"))
    assert "conditions" in page
    assert "The recording with the lowest estimated SNR." in page
    names = {p.name for p in (tmp_path / "out/figures").iterdir()}
    assert {"si-sdr.png", "segmental-snr.svg", "stages-0.png"} <= names


def test_recordings_too_long_for_a_page_are_measured_all_the_same(
    small_corpus: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("librosa")
    monkeypatch.setattr("emelia.show.process.page.MIXED", 1)
    monkeypatch.setattr("emelia.show.process.page.LONGEST", 1.0)  # s
    corpus = read_corpus(small_corpus(seconds=0.6, emotions=2, sentences=1))
    path = corpus.utterances[0].path
    soundfile.write(path, hiss(1.5), RATE)  # the noisiest of all
    found = gather(read_corpus(corpus.root), AudioConfig(), 1, lambda *_: None)
    assert path in [clip.path for clip in found.clips]
    shown = [clip.path for clip, _ in processing._telling(found)]
    assert shown and path not in shown
    monkeypatch.setattr("emelia.show.process.page.LONGEST", 0.1)
    assert not processing._telling(found)


def test_mistakes_are_one_line(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF____WAVE")
    for words, told in (
        ((tmp_path / "gone.wav",), "no such file"),
        ((tmp_path / "broken.wav",), "broken.wav"),
        ((tmp_path / "gone",), "no such folder"),
        (("demo", "--set", "train.lr=1"), "settings of audio only"),
        (("demo", "--set", "audio.denoise=loud"), "none, quiet, founding"),
    ):
        code, _, err = run(*words, "--out", tmp_path / "out")
        assert code != 0 and "Traceback" not in err
        failures = [line for line in err.splitlines() if line.startswith("emelia: ")]
        assert len(failures) == 1 and told in failures[0]


def test_what_is_said_of_the_models_that_ship_is_so() -> None:
    from emelia.show.process.tables import CHAIN
    from emelia.use.bundled import shipped
    from emelia.use.model import read_card

    assert "take the offset away" in CHAIN and "neither reduce noise nor trim" in CHAIN
    for path in shipped().values():
        audio = read_card(path).audio
        assert (audio.dc, audio.denoise, audio.trim_db, audio.level) == (True, "none", 0, "peak")
