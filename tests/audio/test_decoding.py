"""Decoding refuses what it should, and every step does to a waveform what its name says."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import decode, sndfile
from emelia.audio.decoding import read_blocks
from emelia.config import AudioConfig
from emelia.errors import AudioError, ConfigError, FormatError

RATE = 16_000  # Hz
Wave = NDArray[np.float32]

FORMATS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def encoded(wave: np.ndarray, rate: int = RATE, kind: str = "WAV", codec: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=codec)
    return file.getvalue()


def decibels(signal: np.ndarray, other: np.ndarray) -> float:
    """Energy of one over energy of the other, in dB."""
    powers = [float(np.square(x, dtype=np.float64).sum()) for x in (signal, other)]
    return 10 * np.log10(powers[0] / powers[1])


def noisy_speech(wave: Wave, snr_db: float) -> tuple[Wave, Wave]:
    """The wave with white noise added, and the noise."""
    noise = np.random.default_rng(1).standard_normal(len(wave))
    noise *= 10 ** (-(snr_db + decibels(noise, wave)) / 20)
    return (wave + noise).astype(np.float32), noise.astype(np.float32)


# Decoding


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_every_accepted_format_gives_the_same_sound(
    wave: Wave, tmp_path: Path, kind: str, codec: str
) -> None:
    rate = 48_000 if codec == "OPUS" else 44_100
    data = encoded(wave, rate, kind, codec)
    (tmp_path / "clip").write_bytes(data)  # no extension: the bytes tell the format
    heard, got = decode(data)
    assert got == rate and heard.dtype == np.float32 and heard.shape == wave.shape
    assert np.corrcoef(heard, wave)[0, 1] > 0.99
    if kind in ("WAV", "WAVEX", "FLAC"):
        np.testing.assert_allclose(heard, wave, atol=1 / 127 if codec == "PCM_U8" else 4e-5)
    np.testing.assert_array_equal(heard, decode(tmp_path / "clip")[0])


def test_channels_are_mixed_to_their_mean(wave: Wave) -> None:
    heard, _ = decode(encoded(np.stack([wave, -0.5 * wave, 2 * wave], axis=1)))
    np.testing.assert_allclose(heard, wave * 2.5 / 3, atol=1e-6)


def test_a_recording_longer_than_a_block_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5000)
    stereo = np.stack([noise, noise], axis=1)
    for kind, codec in FORMATS:
        data = encoded(stereo, 48_000, kind, codec)
        whole, _ = decode(data)
        with monkeypatch.context() as patch:
            patch.setattr(sndfile, "_BLOCK", 1000)
            np.testing.assert_array_equal(decode(data)[0], whole)


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(wave: Wave) -> None:
    heard, _ = decode(flac_without_length(wave))
    np.testing.assert_allclose(heard, wave, atol=2e-5)


def flac_without_length(wave: Wave) -> bytes:
    """FLAC as written to a pipe: the 36 bits of STREAMINFO for the length are 0."""
    data = bytearray(encoded(wave, RATE, "FLAC", "PCM_16"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def test_a_long_recording_is_refused_by_its_header_before_it_is_read(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sndfile, "_read")
    with pytest.raises(AudioError, match=r"^upload: lasts 2\.0 s; the limit is 1\.5 s"):
        decode(encoded(wave), max_seconds=1.5)


@pytest.mark.parametrize(
    ("more", "lasts"), [(1, "more than 2"), (RATE // 10, r"2\.1"), (10 * RATE, r"12\.0")]
)
def test_what_is_little_too_long_is_not_said_to_last_as_long_as_is_taken(
    more: int, lasts: str
) -> None:
    assert decode(encoded(np.zeros(2 * RATE)), max_seconds=2)
    with pytest.raises(AudioError, match=rf"^upload: lasts {lasts} s; the limit is 2 s\. Cut it"):
        decode(encoded(np.zeros(2 * RATE + more)), max_seconds=2)


def test_a_long_recording_is_refused_while_reading_where_the_header_does_not_tell(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "_BLOCK", 4000)
    read = []
    whole = soundfile.SoundFile.read
    monkeypatch.setattr(
        sndfile._Sequential, "read", lambda self, n, **how: read.append(n) or whole(self, n, **how)
    )
    with pytest.raises(AudioError, match=r"lasts more than 0\.6 s; the limit is 0\.6 s"):
        decode(flac_without_length(wave), max_seconds=0.6)
    assert sum(read) < len(wave)


def test_a_recording_of_exactly_the_limit_is_accepted(wave: Wave) -> None:
    assert len(decode(encoded(wave), max_seconds=2.0)[0]) == len(wave)


def test_a_path_that_is_no_recording_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.wav").write_text("these are notes, not sound")
    os.mkfifo(tmp_path / "pipe.wav")
    for name, reason in {
        "missing.wav": "no such file",
        "": "is a folder; expected one recording",
        "pipe.wav": "is not a regular file",
        "empty.wav": "is empty; expected WAV",
        "notes.wav": "not a known format; expected WAV",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(AudioError, match=f"^{re.escape(str(tmp_path / name))}: {reason}"):
            decode(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_file_one_may_not_read_is_named_with_the_reason(tone: Callable[..., Path]) -> None:
    path = tone()
    path.chmod(0)
    path.parent.chmod(0o711)
    code = (  # as nobody, within the folder: those above it may be closed
        "import os, sys; from emelia.audio import decode; from emelia.errors import AudioError\n"
        "os.chdir(sys.argv[1])\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: decode(sys.argv[2])\n"
        "except AudioError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path.parent), path.name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"{path.name}: cannot be read (Permission denied).\n", done.stderr


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"),
        ("WAV", "GSM610"),
        ("AIFF", "PCM_16"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("NIST", "PCM_16"),
        ("AU", "PCM_16"),
    ],
)
def test_an_upload_of_another_format_never_reaches_the_decoder(
    wave: Wave, monkeypatch: pytest.MonkeyPatch, kind: str, codec: str
) -> None:
    data = encoded(wave, RATE, kind, codec)
    monkeypatch.delattr(sndfile, "_Sequential")
    for file in (data, b"ID3\4\0\0\0\0\1\0" + bytes(128) + data):  # a tag in front hides nothing
        with pytest.raises(
            FormatError, match=r"^upload: .* is not taken as an upload; expected WAV"
        ):
            list(read_blocks(io.BytesIO(file), "upload", 10, upload=True))


def test_a_codec_of_an_accepted_container_may_still_be_refused(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sndfile._UPLOADS, "OGG", {"VORBIS"})
    file = io.BytesIO(encoded(wave, RATE, "OGG", "OPUS"))
    with pytest.raises(AudioError, match=r"^upload: OGG with OPUS is not taken .* expected WAV"):
        list(read_blocks(file, "upload", 10, upload=True))


def test_an_mp3_with_a_tag_in_front_is_read(wave: Wave) -> None:
    data = encoded(wave, RATE, "MP3", "MPEG_LAYER_III")
    heard, _ = decode(b"ID3\4\0\0\0\0\1\0" + bytes(128) + data)
    np.testing.assert_array_equal(heard, decode(data)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(wave: Wave, bad: float) -> None:
    wave[1234] = bad
    with pytest.raises(AudioError, match=r"^upload: has samples that are not numbers"):
        decode(encoded(wave))


def test_no_samples_and_impossible_rates_are_refused(wave: Wave) -> None:
    with pytest.raises(AudioError, match=r"^upload: holds no samples \(0 s\)"):
        decode(encoded(wave[:0]))
    for rate, reason in {0: "cannot be decoded", 500: "500 Hz; expected", 2**30: "Hz; exp"}.items():
        data = bytearray(encoded(wave, codec="PCM_16"))
        struct.pack_into("<I", data, 24, rate)
        with pytest.raises(AudioError, match=f"^upload: .*{reason}"):
            decode(bytes(data))


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_damaged_files_give_sound_or_one_clear_error(wave: Wave, kind: str, codec: str) -> None:
    rng = np.random.default_rng(0)
    data = encoded(wave[:4000], 48_000, kind, codec)
    refused = 0
    for _ in range(60):
        broken = bytearray(data[: rng.integers(len(data) // 8, len(data))])
        broken[rng.integers(0, min(100, len(broken)))] = rng.integers(0, 256)
        try:
            heard, _ = decode(bytes(broken), max_seconds=10)
        except AudioError as error:
            refused += 1
            assert str(error).startswith("upload: ") and "\n" not in str(error)
        else:
            assert heard.size and np.isfinite(heard).all()
    assert refused


def test_the_broken_file_of_aesdd_is_named_with_the_reason(
    corpora: Callable[[str], Path],
) -> None:
    path = corpora("aesdd") / "sadness" / "s05 (3).wav"
    with pytest.raises(AudioError, match=r"s05 \(3\)\.wav: cannot be decoded .*No 'data' chunk"):
        decode(path)


def test_the_digest_names_the_sound_and_not_the_file(wave: Wave) -> None:
    whole = np.round(wave * 32767).astype(np.int16)
    pcm, _ = decode(encoded(whole, RATE, "WAV", "PCM_16"))
    flac, _ = decode(encoded(whole, RATE, "FLAC", "PCM_16"))
    assert audio.content_digest(pcm, RATE) == audio.content_digest(flac, RATE)
    assert re.fullmatch("[0-9a-f]{64}", audio.content_digest(pcm, RATE))
    others = [(pcm[:-1], RATE), (pcm, 8_000), (np.roll(pcm, 1), RATE)]
    assert len({audio.content_digest(*other) for other in [(pcm, RATE), *others]}) == 4


# The founding document's preprocessing. librosa's other reader imports modules that Python retires.

retired = pytest.mark.filterwarnings("ignore:.* slated for removal in Python:DeprecationWarning")


def founding_document(path: Path) -> tuple[Wave, int]:
    """The published code, word for word but for its names."""
    import librosa

    sound, rate = librosa.load(path, sr=16000)
    sound = sound - np.mean(sound)
    return librosa.util.normalize(sound), rate


@retired
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_preprocess_audio_is_the_founding_document_s(wave: Wave, tmp_path: Path, rate: int) -> None:
    stereo = np.stack([wave + 0.01, 0.3 * np.roll(wave, 50)], axis=1)[:-3]
    soundfile.write(tmp_path / "clip.wav", stereo, rate)
    same_as_founding_document(tmp_path / "clip.wav")


@retired
def test_preprocess_audio_is_the_founding_document_s_on_real_speech(
    corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    for path in sorted(corpora("aesdd").glob("*/?07 (*).flac"))[::6]:
        same_as_founding_document(path)
        soundfile.write(tmp_path / "clip.wav", soundfile.read(path)[0], 44_100)
        same_as_founding_document(tmp_path / "clip.wav")


def same_as_founding_document(path: Path) -> None:
    want, want_rate = founding_document(path)
    got, rate = audio.preprocess_audio(path)
    assert rate == want_rate == RATE and got.dtype == want.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
    assert audio.preprocess_audio(str(path))[0].tobytes() == got.tobytes()


def test_preprocess_audio_leaves_silence_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(4000), 8000)
    got, rate = audio.preprocess_audio(tmp_path / "silence.wav")
    assert rate == RATE and got.shape == (8000,) and not got.any()


# The steps


def test_resampling_keeps_a_tone_and_drops_what_the_new_rate_cannot_hold() -> None:
    time = np.arange(44_100) / 44_100
    low, high = (np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (440, 10_000))
    heard = audio.resample(low + high, 44_100)
    want = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert heard.shape == (RATE,) and heard.dtype == np.float32
    assert decibels(want[800:-800], (heard - want)[800:-800]) > 60


def test_resampling_gives_as_many_samples_as_librosa() -> None:
    for rate, size in [(44_100, 1), (44_100, 2), (44_100, 1001), (8_000, 7), (48_000, 4)]:
        heard = audio.resample(np.ones(size, np.float32), rate)
        assert heard.shape == (-(-size * RATE // rate),)


def test_remove_dc_leaves_mean_zero(wave: Wave) -> None:
    heard = audio.remove_dc(wave + np.float32(0.3))
    assert abs(heard.mean(dtype=np.float64)) < 1e-7
    np.testing.assert_allclose(heard, wave - wave.mean(), atol=1e-6)


def test_normalise_peak_brings_the_largest_sample_to_one(wave: Wave) -> None:
    heard = audio.normalise_peak(wave * np.float32(1e-3))
    assert np.abs(heard).max() == 1 and np.corrcoef(heard, wave)[0, 1] > 0.999_999


def test_normalise_loudness_reaches_the_target_of_the_standard(wave: Wave) -> None:
    from pyloudnorm import Meter

    for target in (-23.0, -35.0):
        for gain in (1e-4, 0.1, 2.0):  # the first is quieter than the absolute gate
            heard = audio.normalise_loudness(wave * np.float32(gain), RATE, target)
            assert abs(Meter(RATE).integrated_loudness(heard.astype(float)) - target) < 0.05


def test_normalise_loudness_knows_the_reference_tone_of_the_standard() -> None:
    """BS.1770: a full-scale sine of 997 Hz in one channel measures -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * 48_000) / 48_000).astype(np.float32)
    heard = audio.normalise_loudness(tone, 48_000, lufs=-23.01)
    assert abs(20 * np.log10(np.abs(heard).max()) + 20) < 0.05


def test_normalise_loudness_never_clips() -> None:
    click = np.zeros(RATE, np.float32)
    click[5000] = 0.2
    assert np.abs(audio.normalise_loudness(click, RATE, lufs=-10)).max() == 1


def test_a_short_clip_is_levelled_as_a_long_one_of_the_same_sound() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE).astype(np.float32)
    peaks = [np.abs(audio.normalise_loudness(tone[:n], RATE)).max() for n in (2000, RATE)]
    assert abs(20 * np.log10(peaks[0] / peaks[1])) < 0.3


def test_noise_reduction_raises_the_snr_and_keeps_the_speech(wave: Wave) -> None:
    for snr in (5, 10, 20):
        noisy, noise = noisy_speech(wave, snr)
        cleaned = audio.reduce_noise(noisy, RATE)
        speech = np.abs(wave) > 0.05
        pause = np.convolve(np.abs(wave) > 0.02, np.ones(1600), "same") == 0
        assert pause.sum() > RATE // 10
        assert cleaned.shape == wave.shape and cleaned.dtype == np.float32
        assert decibels(wave, cleaned - wave) > snr + 2
        assert abs(decibels(cleaned[speech], wave[speech])) < 1
        assert decibels(cleaned[pause], noise[pause]) < -15


def test_the_noise_profile_comes_from_the_pauses(wave: Wave) -> None:
    noisy, noise = noisy_speech(wave, 20)
    profile = audio.noise_profile(noisy, RATE)
    assert len(profile) >= RATE // 4
    assert abs(decibels(profile, noise[: len(profile)])) < 1
    spectrum = np.abs(np.fft.rfft(profile)) ** 2  # white, with no trace of the voice's harmonics
    assert 0.4 < spectrum[: len(spectrum) // 2].sum() / spectrum.sum() < 0.6


def test_the_joins_of_the_noise_profile_make_no_clicks() -> None:
    """Of slow hum, a hard join would leave steps that hold energy at high frequencies."""
    rng = np.random.default_rng(0)
    time = np.arange(4 * RATE) / RATE
    hum = (0.01 * np.sin(2 * np.pi * 37 * time)).astype(np.float32)
    loud = rng.uniform(-0.5, 0.5, len(hum)) * (np.arange(len(hum)) // 1024 % 2)  # every other 64 ms
    profile = audio.noise_profile((hum + loud).astype(np.float32), RATE)
    assert np.abs(np.diff(profile)).max() < 3 * np.abs(np.diff(hum)).max()


def test_the_noise_profile_passes_over_digital_silence(wave: Wave) -> None:
    noisy, noise = noisy_speech(wave, 20)
    muted = np.concatenate([np.zeros(RATE, np.float32), noisy, np.zeros(RATE, np.float32)])
    np.testing.assert_allclose(
        decibels(audio.noise_profile(muted, RATE), noise[:4000]),
        decibels(audio.noise_profile(noisy, RATE), noise[:4000]),
        atol=0.5,
    )


def test_clips_with_nothing_to_learn_noise_from_pass_unchanged(wave: Wave) -> None:
    for sound in (wave[:0], wave[:100], wave[: RATE // 2], np.zeros(RATE, np.float32)):
        np.testing.assert_array_equal(audio.reduce_noise(sound, RATE), sound)


def test_noise_reduction_gives_the_same_bytes_every_time(wave: Wave) -> None:
    noisy, _ = noisy_speech(np.tile(wave, 20), 10)  # longer than one chunk of the gate
    assert audio.reduce_noise(noisy, RATE).tobytes() == audio.reduce_noise(noisy, RATE).tobytes()


def test_noise_reduction_works_at_other_rates(wave: Wave) -> None:
    for rate in (8_000, 22_050, 48_000):
        noisy, _ = noisy_speech(audio.resample(wave, RATE, rate), 10)
        assert decibels(audio.reduce_noise(noisy, rate), noisy) < -0.1


def test_trimming_cuts_silence_at_both_ends_and_nothing_between(wave: Wave) -> None:
    faint = 1e-4 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    voice = wave[2000:20_000]
    gap = np.zeros(RATE // 2, np.float32)
    heard = audio.trim_silence(np.concatenate([faint, voice, gap, voice, faint]), RATE, 40.0)
    whole = 2 * len(voice) + len(gap)
    assert abs(len(heard) - whole) < 0.12 * RATE
    assert abs(decibels(heard, np.concatenate([voice, voice]))) < 0.05


def test_trimming_keeps_at_least_the_loudest_frame(wave: Wave) -> None:
    assert 0 < len(audio.trim_silence(wave, RATE, 1e-6)) <= 2 * RATE
    for silent in (np.zeros(1000, np.float32), np.zeros(1, np.float32)):
        np.testing.assert_array_equal(audio.trim_silence(silent, RATE, 30), silent)


@pytest.mark.parametrize("below_db", [0.0, -3.0, float("nan")])
def test_trimming_above_the_peak_is_refused(wave: Wave, below_db: float) -> None:
    with pytest.raises(ConfigError, match="expected decibels below the peak, above 0"):
        audio.trim_silence(wave, RATE, below_db)


STEPS: dict[str, Callable[[Wave], Wave]] = {
    "resample": lambda wave: audio.resample(wave, 44_100),
    "same rate": lambda wave: audio.resample(wave, RATE),
    "remove_dc": audio.remove_dc,
    "normalise_peak": audio.normalise_peak,
    "normalise_loudness": lambda wave: audio.normalise_loudness(wave, RATE),
    "reduce_noise": lambda wave: audio.reduce_noise(wave, RATE),
    "trim_silence": lambda wave: audio.trim_silence(wave, RATE, 30),
    "prepare": lambda wave: audio.prepare(wave, RATE, AudioConfig(False, "none", 0.0, "none")),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_makes_a_new_waveform_and_leaves_the_old_one(
    wave: Wave, step: Callable[[Wave], Wave]
) -> None:
    before = wave.copy()
    heard = step(wave)
    assert heard.dtype == np.float32 and heard.ndim == 1
    assert not np.shares_memory(heard, wave)
    np.testing.assert_array_equal(wave, before)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_leaves_silence_silent(step: Callable[[Wave], Wave]) -> None:
    heard = step(np.zeros(20_000, np.float32))
    assert heard.size and not heard.any()


def test_prepare_takes_the_steps_in_order(wave: Wave) -> None:
    noisy, _ = noisy_speech(audio.resample(wave, RATE, 44_100), 30)
    want = audio.remove_dc(audio.resample(noisy, 44_100))
    want = audio.trim_silence(audio.reduce_noise(want, RATE), RATE, 30)
    loud = audio.prepare(noisy, 44_100, AudioConfig(True, "quiet", 30.0, "loudness"))
    np.testing.assert_array_equal(loud, audio.normalise_loudness(want, RATE))
    peak = audio.prepare(noisy, 44_100, AudioConfig(True, "quiet", 30.0, "peak"))
    np.testing.assert_array_equal(peak, audio.normalise_peak(want))


@pytest.mark.parametrize("bad", [np.zeros((2, 100)), np.zeros(0), np.array([0.1, np.nan])])
def test_prepare_refuses_what_is_no_waveform(bad: np.ndarray) -> None:
    with pytest.raises(AudioError, match=r"expected finite samples of shape \(T,\)"):
        audio.prepare(bad, RATE, AudioConfig())


def test_prepare_works_on_every_kind_of_real_clip(corpora: Callable[[str], Path]) -> None:
    config = AudioConfig(denoise="quiet", trim_db=40.0)
    for path in [
        corpora("aesdd") / "sadness" / "s19 (6).flac",  # mostly silence
        *sorted(corpora("ravdess").rglob("03-01-02-01-01-01-09.*")),  # very quiet
        *sorted(corpora("nemo").rglob("*.o*"))[:2],
        *sorted(corpora("emodb").rglob("*.*a*"))[:2],
    ]:
        wave = audio.prepare(*decode(path), config)
        assert np.isfinite(wave).all() and np.abs(wave).max() == 1
