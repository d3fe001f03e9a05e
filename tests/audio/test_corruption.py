"""What rooms, microphones, telephones and codecs do is what textbooks say.

.venv/bin/python -m pytest tests/audio/test_corruption.py
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from vowels import vowels

from emelia.audio.corruption.filters import pass_band, respond
from emelia.audio.corruption.lossy import encodes, through_ffmpeg, through_file
from emelia.audio.corruption.mixing import add_at_snr, amplify, clip_peaks, power

RATE = 16_000  # Hz


@pytest.mark.parametrize("snr_db", [-5, 0, 20, 45])
def test_noise_is_as_much_weaker_as_asked(snr_db: float) -> None:
    wave = vowels(1.0)
    noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
    added = add_at_snr(wave, noise, snr_db).astype(np.float64) - wave
    assert 10 * np.log10(power(wave) / np.mean(added**2)) == pytest.approx(snr_db, abs=0.01)
    assert add_at_snr(wave, np.zeros_like(noise), snr_db) == pytest.approx(wave)


def test_levels_and_peaks() -> None:
    wave = vowels(1.0)
    assert 10 * np.log10(power(amplify(wave, 6)) / power(wave)) == pytest.approx(6, abs=1e-3)
    clipped = clip_peaks(wave, 0.2)
    assert np.mean(np.abs(wave) > np.abs(clipped).max()) == pytest.approx(0.2, abs=1e-3)


def gain_db(change: object, hertz: float) -> float:
    """Gain of a change for a tone in the middle of a second, in dB."""
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    middle = slice(RATE // 4, 3 * RATE // 4)
    return float(10 * np.log10(power(change(tone)[middle]) / power(tone[middle])))  # type: ignore[operator]


def test_a_butterworth_filter_has_half_the_power_at_its_edges() -> None:
    for edges in ((None, 3000), (300, None), (300, 3400)):
        for edge in filter(None, edges):
            found = gain_db(lambda tone, e=edges: pass_band(tone, *e), edge)
            assert found == pytest.approx(-3.01, abs=0.1)
    assert gain_db(lambda tone: pass_band(tone, 300, 3400), 1000) == pytest.approx(0, abs=0.1)


def test_a_response_is_the_one_that_is_given() -> None:
    hertz, gains = np.array([0, 500, 2000, 8000]), np.array([0.0, 0.0, -12.0, -12.0])
    assert gain_db(lambda tone: respond(tone, hertz, gains), 4000) == pytest.approx(-12, abs=0.3)
    assert gain_db(lambda tone: respond(tone, hertz, gains), 300) == pytest.approx(0, abs=0.3)


def mu_law(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Encode and decode by the segments of ITU-T G.711, in 16-bit numbers."""
    size = np.minimum(np.abs(samples), 32635) + 132
    segment = np.floor(np.log2(size)).astype(int) - 7
    step = (size >> (segment + 3)) & 15
    decoded = ((step << 3) + 132 << segment) - 132
    return np.sign(samples) * decoded


def test_mu_law_is_that_of_g_711() -> None:
    wave = np.linspace(-0.7, 0.7, 4001).astype(np.float32)
    back = through_file(wave, RATE, 0.7, "WAV", "ULAW")
    reference = mu_law(np.rint(wave.astype(np.float64) * 2**15).astype(np.int64)) / 2**15
    # libsndfile rounds to 14 bits first: where two steps meet it may take the other.
    same = np.abs(back - reference) < 1e-4
    assert same.mean() > 0.95
    assert np.abs(back - wave).max() < 0.03


@pytest.mark.parametrize(
    ("container", "codec", "rate", "bits"),
    [("webm", "libopus", 48_000, 32_000), ("mp3", "libmp3lame", RATE, 64_000),
     ("amr", "libopencore_amrnb", 8000, 12_200)],
)  # fmt: skip
def test_codecs_keep_length_and_sound(container: str, codec: str, rate: int, bits: int) -> None:
    if not encodes(codec):
        pytest.skip(f"FFmpeg here has no encoder {codec}")
    wave = np.asarray(pass_band(vowels(1.0), None, 3000), np.float32)
    back = through_ffmpeg(wave, rate, 0.7, container, codec, bits)
    assert back.shape == wave.shape and np.abs(back).max() == pytest.approx(0.7, abs=0.15)
    likeness = max(np.corrcoef(wave[400:-800], back[400 + d : len(back) - 800 + d])[0, 1]
                   for d in range(200))  # fmt: skip
    assert likeness > 0.8


def test_an_encoder_that_is_not_there() -> None:
    assert not encodes("no_such_codec")
