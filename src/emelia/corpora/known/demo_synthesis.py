"""Synthesise the embedded corpus into a folder; run as a process by `demo.make_demo`.

eSpeak NG keeps state from one utterance to the next, so the bytes are the same only if a new
process synthesises all clips in the same order, each with the same seed. Tremor, spectral tilt,
breath and level, which eSpeak cannot do, are added afterwards.
Waveforms are float64 (T,); eSpeak's are 22.05 kHz, the files' 16 kHz PCM of 16 bits.
"""

from __future__ import annotations

import ctypes
import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from emelia.config import SAMPLE_RATE
from emelia.corpora.known.demo_voices import Clip, Prosody, chance, clips

Wave = NDArray[np.float64]

SPEECH_LEVEL = -26.0  # dB re full scale, RMS of a neutral clip
FLOOR_LEVEL = -66.0  # dB re full scale, RMS of the room's noise
BREATH_LEVEL = -34.0  # dB re the voice, aspiration of a neutral clip
PEAK = 0.9  # no sample goes above this
EDGE = (0.05, 0.15)  # seconds of room before and after the words, evenly drawn
TREMOR_RATE = (5.0, 8.0)  # Hz, evenly drawn

# From eSpeak's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """The eSpeak NG library, called through ctypes."""

    def __init__(self) -> None:
        import espeakng_loader

        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        # eSpeak truncates paths after 160 bytes, fewer than many installations need: so change
        # to the folder and pass `.`.
        os.chdir(Path(espeakng_loader.get_data_path()).parent)
        self.rate = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DONT_EXIT)
        if self.rate <= 0:
            raise RuntimeError(f"eSpeak NG found no data in {Path.cwd()}")
        self._chunks: list[NDArray[np.int16]] = []
        self._keep: Callable[..., int] = _CALLBACK(
            self._receive
        )  # keeps the callback from being freed
        self._lib.espeak_SetSynthCallback(self._keep)
        self._lib.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        self._lib.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip

    def say(self, clip: Clip) -> Wave:
        """ESpeak's own waveform (T,) of a clip, at `rate` Hz."""
        self._chunks.clear()
        self._lib.espeak_ng_SetRandSeed(1)
        self._check(self._lib.espeak_SetVoiceByName(clip.voice.encode()), clip)
        for parameter, value in _settings(clip.prosody).items():
            self._check(self._lib.espeak_SetParameter(parameter, value, 0), clip)
        text = clip.text.encode()
        code = self._lib.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        self._check(code, clip)
        if not self._chunks:
            raise RuntimeError(f"eSpeak NG said nothing for {clip.name}")
        return np.concatenate(self._chunks) / 32768

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _: int) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # go on

    def _check(self, code: int, clip: Clip) -> None:
        if code != 0:
            raise RuntimeError(f"eSpeak NG refused {clip.name} ({clip.voice}), code {code}")


def _settings(prosody: Prosody) -> dict[int, int]:
    """The parameters of eSpeak: rate in words per minute, others 0 to 100 with 50 as neutral."""
    wanted = {
        _RATE: (175 * 2**prosody.rate, 100, 300),
        _PITCH: (50 + prosody.pitch * 50 / 12, 0, 100),  # 100 is an octave up
        _RANGE: (50 * 2**prosody.range, 0, 100),
        _WORD_GAP: (prosody.pause / 10, 0, 10),  # steps of 10 ms
    }
    return {key: round(min(max(value, low), high)) for key, (value, low, high) in wanted.items()}


def render(words: Wave, rate: int, clip: Clip) -> Wave:
    """Turn eSpeak's waveform into a recording at 16 kHz with the clip's voice quality."""
    prosody, dice = clip.prosody, chance(f"sound of {clip.name}")
    voice = soxr.resample(tremble(words, rate, prosody.tremor, dice), rate, SAMPLE_RATE)
    voice = breathe(tilt(voice, prosody.tilt), BREATH_LEVEL + prosody.breath, dice)
    voice *= _amplitude(SPEECH_LEVEL + prosody.level) / np.sqrt(np.mean(voice**2))
    voice = np.pad(voice, [round(dice.uniform(*EDGE) * SAMPLE_RATE) for _ in range(2)])
    voice += _amplitude(FLOOR_LEVEL) * dice.standard_normal(len(voice))
    return np.asarray(voice * min(1.0, PEAK / np.abs(voice).max()))


def tremble(voice: Wave, rate: int, semitones: float, dice: np.random.RandomState) -> Wave:
    """Let the pitch swing up and down by so many semitones, by warping time."""
    hertz, phase = dice.uniform(*TREMOR_RATE), dice.uniform(0, 2 * np.pi)
    depth = 2 ** (max(semitones, 0.0) / 12) - 1  # share by which the pitch goes up
    step = 2 * np.pi * hertz / rate
    time = np.arange(len(voice))
    uneven = time + depth / step * np.sin(step * time + phase)
    return np.asarray(np.interp(uneven, time, voice))


def tilt(voice: Wave, slope: float) -> Wave:
    """Tilt the spectrum above 500 Hz by a slope in dB per octave."""
    spectrum = np.fft.rfft(voice)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(voice), 1 / SAMPLE_RATE), 500) / 500)
    return np.fft.irfft(spectrum * 10 ** (slope * octaves / 20), len(voice))


def breathe(voice: Wave, level: float, dice: np.random.RandomState) -> Wave:
    """Add noise that follows the voice's envelope (20 ms), `level` dB re the voice."""
    frame = SAMPLE_RATE // 50
    envelope = np.sqrt(np.convolve(voice**2, np.full(frame, 1 / frame), mode="same"))
    return voice + _amplitude(level) * envelope * dice.standard_normal(len(voice))


def _amplitude(level: float) -> float:
    return float(10 ** (level / 20))


def write(path: Path, samples: Wave) -> None:
    """Write a WAV file, 16 kHz mono PCM of 16 bits, without date or author."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


def main(folder: Path) -> None:
    """Synthesise every clip into a folder per emotion."""
    folder = folder.absolute()  # before eSpeak's folder becomes the current folder
    espeak = Espeak()
    for clip in clips():
        path = folder / clip.name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, render(espeak.say(clip), espeak.rate, clip))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
