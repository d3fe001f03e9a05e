"""The embedded corpus: the same bytes every time, complete or absent, not trivial, not silent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia.corpora.known import demo
from emelia.corpora.known.demo_synthesis import breathe, tilt, tremble
from emelia.corpora.known.demo_voices import RULES, SENTENCES, SPEAKERS, chance, clips
from emelia.corpora.records import Fields
from emelia.errors import CorpusError, MissingExtraError, StorageError

espeakng_loader = pytest.importorskip("espeakng_loader", reason="needs the extra: demo")
RATE = 16_000  # Hz
TIME = np.arange(2 * RATE) / RATE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus, made once, where other tests of this session find it too."""
    folder = tmp_path_factory.getbasetemp() / "cache" / f"demo-{demo.VERSION}"
    demo.make_demo(folder)
    return folder


@pytest.fixture(scope="module")
def sounds(made: Path) -> dict[str, NDArray[np.float64]]:
    return {clip.name: soundfile.read(made / clip.name)[0] for clip in clips()}


@pytest.fixture
def quick(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the speaking be a copy of what was spoken before."""
    monkeypatch.setattr(demo, "_speak", lambda folder: shutil.copytree(made, folder))


def files(folder: Path) -> dict[str, str]:
    """Digests of all that is in a folder, by path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): sha256(p.read_bytes()).hexdigest() for p in found}


def fake_loader(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another eSpeak before the real one."""
    (folder / "fake").mkdir()
    (folder / "fake" / "espeakng_loader.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder / "fake"))


# What it is


def test_it_has_as_many_clips_as_its_spec_says(made: Path) -> None:
    fields = [demo.parse(Path(name)) for name in files(made)]
    assert len(fields) == demo.SPEC.clips == 240
    assert Counter(f.emotion for f in fields if f) == demo.SPEC.emotions
    assert {f.speaker for f in fields if f} == set(SPEAKERS)
    assert demo.SPEC.speakers == len(SPEAKERS) >= 6


def test_every_sentence_is_said_by_everybody_in_every_emotion(made: Path) -> None:
    said = {demo.parse(Path(name)) for name in files(made)}
    assert said == {
        Fields(emotion, speaker, sentence, "1", SPEAKERS[speaker].gender)
        for emotion in RULES
        for speaker in SPEAKERS
        for sentence in SENTENCES
    }


def test_there_are_as_many_women_as_men_and_several_languages() -> None:
    assert Counter(s.gender for s in SPEAKERS.values()) == {"female": 3, "male": 3}
    assert {sentence[:2] for sentence in SENTENCES} == {"de", "el", "en", "pl"}
    assert len({s.variant for s in SPEAKERS.values()}) == len(SPEAKERS)


@pytest.mark.parametrize(
    "name",
    [
        "anger/f1_de1.wav",
        "anger/f1_de9_1.wav",
        "anger/f1_de1_2.wav",
        "anger/nobody_de1_1.wav",
        "rage/f1_de1_1.wav",
        "f1_de1_1.wav",
        "anger/a01 (1).wav",
    ],
)
def test_a_name_that_is_not_its_own_is_not_understood(name: str) -> None:
    assert demo.parse(Path(name)) is None


def test_its_note_says_that_it_is_synthetic() -> None:
    assert "synthetic" in demo.SPEC.note.lower()
    assert "nothing about people" in demo.SPEC.note


# How it sounds


def test_the_files_are_mono_16_bit_wav_at_16_khz(made: Path) -> None:
    for name in files(made):
        info = soundfile.info(made / name)
        assert (info.format, info.subtype) == ("WAV", "PCM_16"), name
        assert (info.samplerate, info.channels) == (RATE, 1), name


def test_durations_and_levels_are_those_of_short_recordings(
    sounds: dict[str, NDArray[np.float64]],
) -> None:
    for name, wave in sounds.items():
        assert 0.8 < len(wave) / RATE < 3.2, name
        assert np.abs(wave).max() < 0.95, f"{name} is clipped"
        assert -45 < decibels(wave) < -12, name
        assert abs(wave.mean()) < 0.01, name


def test_every_clip_is_another(made: Path) -> None:
    assert len(set(files(made).values())) == demo.SPEC.clips


def test_the_emotions_go_the_way_of_the_rules(sounds: dict[str, NDArray[np.float64]]) -> None:
    measured = measure(sounds)
    pitch, width, duration, level = (
        {emotion: values[:, column].mean() for emotion, values in measured.items()}
        for column in range(4)
    )
    assert max(pitch["disgust"], pitch["sadness"]) + 3 < pitch["anger"]  # semitones
    assert pitch["anger"] < min(pitch["happiness"], pitch["fear"])
    assert width["sadness"] == min(width.values())
    assert min(duration["disgust"], duration["sadness"]) > 1.2 * duration["happiness"]
    assert max(duration["anger"], duration["fear"]) < duration["happiness"]
    assert sorted(level, key=level.__getitem__) == [
        "sadness", "disgust", "fear", "happiness", "anger",
    ]  # fmt: skip


def test_the_emotions_overlap(sounds: dict[str, NDArray[np.float64]]) -> None:
    """Four honest measures of prosody, nearest mean of the other speakers: often, not always."""
    measured = measure(sounds)
    spread = np.concatenate(list(measured.values())).std(axis=0)
    right = []
    for speaker in range(len(SPEAKERS)):
        here = np.arange(len(measured["anger"])) % len(SPEAKERS) == speaker
        means = np.array([values[~here].mean(axis=0) for values in measured.values()])
        for number, values in enumerate(measured.values()):
            distances = np.abs((values[here][:, None] - means) / spread).sum(axis=2)
            right += list(distances.argmin(axis=1) == number)
    assert 0.45 < np.mean(right) < 0.9


def measure(sounds: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Pitch (semitones re the speaker's mean), its width (st), duration (s), level (dB): (N, 4).

    Of one sentence of each language; speakers take turns from row to row.
    """
    rows = [
        [*contour(wave := sounds[f"{emotion}/{speaker}_{language}1_1.wav"]),
         len(wave) / RATE, decibels(wave)]
        for emotion in RULES
        for language in ("de", "el", "en", "pl")
        for speaker in SPEAKERS
    ]  # fmt: skip
    table = np.array(rows).reshape(len(RULES), 4, len(SPEAKERS), 4)
    table[..., 0] -= table[..., 0].mean(axis=(0, 1))
    return dict(zip(RULES, table.reshape(len(RULES), -1, 4), strict=True))


def contour(wave: NDArray[np.float64]) -> tuple[float, float]:
    """Median pitch in semitones above 100 Hz, and the distance of its outer fifths."""
    librosa = pytest.importorskip("librosa", reason="needs the extra: train")
    hertz = librosa.yin(wave, fmin=60, fmax=500, sr=RATE, frame_length=1024)
    loud = librosa.feature.rms(y=wave, frame_length=1024, hop_length=256)[0]
    pitch = 12 * np.log2(hertz[loud > 0.2 * loud.max()] / 100)
    low, middle, high = np.percentile(pitch, [20, 50, 80])
    return middle, high - low


def decibels(wave: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(wave**2)))


# How it is made


def test_a_fresh_process_makes_the_same_bytes_wherever_it_runs(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path longer than eSpeak has room for, another locale, a trap in the current folder.
    far = tmp_path / ("long" * 25) / ("way" * 30)
    far.mkdir(parents=True)
    (far / "espeakng_loader").symlink_to(Path(espeakng_loader.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", str(far))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wave.py").write_text("raise SystemExit('not this one')")
    asked = "import espeakng_loader; print(len(espeakng_loader.get_data_path()))"
    length = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True).stdout
    assert int(length) > 200

    demo.make_demo(Path("again"))

    assert files(tmp_path / "again") == files(made)


def test_made_once_it_is_left_alone(
    made: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.make_demo(tmp_path / "demo")
    monkeypatch.setattr(demo, "_speak", lambda folder: pytest.fail("spoken again"))
    demo.make_demo(tmp_path / "demo")
    assert files(tmp_path / "demo") == files(made)


def test_two_makers_at_once_agree(
    made: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speak_while_another_finishes(folder: Path) -> None:
        shutil.copytree(made, folder)
        shutil.copytree(made, tmp_path / "demo")

    monkeypatch.setattr(demo, "_speak", speak_while_another_finishes)
    demo.make_demo(tmp_path / "demo")
    assert files(tmp_path / "demo") == files(made)
    assert os.listdir(tmp_path) == ["demo"]


def test_an_interrupted_making_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speak_half(folder: Path) -> None:
        (folder / "anger").mkdir(parents=True)
        (folder / "anger" / "f1_de1_1.wav").write_bytes(b"RIFF")
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_speak", speak_half)
    with pytest.raises(KeyboardInterrupt):
        demo.make_demo(tmp_path / "demo")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_maker_left_is_swept_and_what_a_living_one_needs_is_not(
    tmp_path: Path, quick: None
) -> None:
    for name, age in (("demo.old.part", 7200), ("demo.new.part", 60), ("else.old.part", 7200)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    demo.make_demo(tmp_path / "demo")
    assert sorted(os.listdir(tmp_path)) == ["demo", "demo.new.part", "else.old.part"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise OSError('no such library')", "OSError: no such library"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os._exit(3)", "code 3"),
    ],
)
def test_a_child_that_fails_is_one_clear_line_and_leaves_nothing(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_loader(tmp_path, code, monkeypatch)
    with pytest.raises(CorpusError, match=reason) as caught:
        demo.make_demo(tmp_path / "here" / "demo")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "here") == []


def test_a_corpus_that_lost_clips_is_not_built_upon(
    tmp_path: Path, quick: None, made: Path
) -> None:
    shutil.copytree(made, tmp_path / "demo")
    (tmp_path / "demo" / "fear" / "m3_pl2_1.wav").unlink()
    with pytest.raises(CorpusError, match="has 239 of the demo corpus's 240 clips"):
        demo.make_demo(tmp_path / "demo")


def test_without_espeak_the_message_has_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[demo\]'"):
        demo.make_demo(tmp_path / "demo")


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        demo.make_demo(tmp_path / "file" / "demo")


# Voice quality


def test_tilt_is_so_many_decibels_an_octave_above_500_hz() -> None:
    def gain(hertz: float) -> float:
        tone = np.sin(2 * np.pi * hertz * TIME)
        return decibels(tilt(tone, 3.0)) - decibels(tone)

    assert [gain(hertz) for hertz in (250, 500, 1000, 4000)] == pytest.approx([0, 0, 3, 9], abs=0.1)


def test_breath_is_noise_of_the_level_asked_for_that_follows_the_voice() -> None:
    tone = np.sin(2 * np.pi * 200 * TIME) * (TIME < 1)
    noise = breathe(tone, -20.0, chance("a breath")) - tone
    assert decibels(noise[:RATE]) - decibels(tone[:RATE]) == pytest.approx(-20, abs=0.3)
    assert not noise[RATE + 400 :].any()


def test_a_trembling_tone_swings_by_the_semitones_asked_for() -> None:
    tone = np.sin(2 * np.pi * 200 * TIME)
    trembling = tremble(tone, RATE, 1.0, chance("a tremor"))
    rising = np.flatnonzero((trembling[:-1] < 0) & (trembling[1:] >= 0))
    crossing = rising + trembling[rising] / (trembling[rising] - trembling[rising + 1])
    semitones = 12 * np.log2(RATE / np.diff(crossing) / 200)
    assert np.percentile(semitones, 99) == pytest.approx(1.0, abs=0.1)
    assert np.mean(semitones) == pytest.approx(0.0, abs=0.1)


def test_without_tremor_a_tone_stays_as_it_is() -> None:
    tone = np.sin(2 * np.pi * 200 * TIME)
    np.testing.assert_array_equal(tremble(tone, RATE, -0.1, chance("none")), tone)
