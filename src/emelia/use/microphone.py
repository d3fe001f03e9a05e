"""Live sound from a microphone, or from a recording at the speed it was spoken.

Sound comes in blocks, mono float32 (T,), of about 0.1 s.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from emelia.audio.limits import Wave
from emelia.audio.streaming import stream
from emelia.config import SAMPLE_RATE
from emelia.errors import AudioError, ConfigError, MissingExtraError

_BLOCK = 0.1  # s
_PATIENCE = 5.0  # s without sound, after which a microphone is gone
_LONGEST = 24 * 3600.0  # s of a recording
_INSTEAD = "To try without one: --file clip.wav."


class Device(NamedTuple):
    """A device that records sound.

    Attributes:
        number: by which it can be chosen.
        name: what the system calls it.
        channels: it has at most.
        rate: its usual one, in Hz.
        usual: the system's choice where none is made.
    """

    number: int
    name: str
    channels: int
    rate: int
    usual: bool


def devices() -> list[Device]:
    """All devices that record sound.

    Raises:
        MissingExtraError: sounddevice is not installed.
        AudioError: PortAudio is not installed.
    """
    sounddevice = _sounddevice()
    usual = sounddevice.default.device[0]
    return [
        Device(number, str(d["name"]), int(d["max_input_channels"]),
               int(d["default_samplerate"]), number == usual)
        for number, d in enumerate(sounddevice.query_devices())
        if d["max_input_channels"] > 0
    ]  # fmt: skip


def find_device(wanted: str | None) -> Device:
    """The microphone with this number or name; the system's choice for None.

    Raises:
        AudioError, MissingExtraError: see `devices`; also if there is no microphone.
        ConfigError: none of them is meant, or more than one.
    """
    found = devices()
    if not found:
        raise AudioError(f"no microphone found. Connect one, or see --list-microphones. {_INSTEAD}")
    if wanted is None:
        return next((device for device in found if device.usual), found[0])
    exact = [d for d in found if wanted in (str(d.number), d.name)]
    meant = exact or [d for d in found if wanted.casefold() in d.name.casefold()]
    if len(meant) != 1:
        what = "is no microphone" if not meant else f"is {len(meant)} microphones"
        raise ConfigError(f"--microphone {wanted}: {what}. See --list-microphones; take a number.")
    return meant[0]


class Microphone:
    """An open microphone; read its blocks inside a `with` statement.

    with Microphone(find_device(None)) as microphone:
        for block in microphone.blocks():
            ...

    Attributes:
        rate: of the blocks, in Hz.
        lost: how often sound was lost because the computer was too slow.

    Raises:
        AudioError: it cannot be opened.
    """

    def __init__(self, device: Device) -> None:
        self.rate = device.rate
        self.lost = 0
        self._name = device.name
        self._queue: queue.SimpleQueue[Wave] = queue.SimpleQueue()
        self._error = _sounddevice().PortAudioError
        try:
            self._stream = _sounddevice().InputStream(
                samplerate=device.rate, blocksize=round(_BLOCK * device.rate), channels=1,
                device=device.number, dtype="float32", callback=self._take,
            )  # fmt: skip
        except self._error as error:
            raise self._trouble(error) from None

    def __enter__(self) -> Self:
        try:
            self._stream.start()
        except self._error as error:
            self._stream.close()
            raise self._trouble(error) from None
        return self

    def __exit__(self, *failure: object) -> None:
        self._stream.close()

    @property
    def waiting(self) -> float:
        """Seconds of sound recorded but not yet read."""
        return self._queue.qsize() * _BLOCK

    def blocks(self) -> Iterator[Wave]:
        """Yield blocks as they are recorded, without end.

        Raises:
            AudioError: no more sound comes.
        """
        while True:
            try:
                yield self._queue.get(timeout=_PATIENCE)
            except queue.Empty:
                raise AudioError(
                    f"{self._name}: gives no sound any more. Check that it is connected."
                ) from None

    def _take(self, samples: Any, frames: int, clock: Any, status: Any) -> None:
        """Store a block; called in a thread of PortAudio's, which must not wait."""
        self.lost += bool(status.input_overflow)
        self._queue.put(np.array(samples[:, 0], np.float32))  # its memory is used again

    def _trouble(self, error: Exception) -> AudioError:
        return AudioError(
            f"{self._name}: cannot be opened ({error}). Close what else uses it, allow the "
            f"terminal to use the microphone, or choose another with --microphone. {_INSTEAD}"
        )


def replay(
    path: str | Path, *, fast: bool = False, wait: Callable[[float], None] = time.sleep
) -> Iterator[Wave]:
    """Yield the blocks of a recording at 16 kHz at the speed it was spoken, or without waiting.

    Raises:
        AudioError, MissingExtraError: see `audio.decode`.
    """
    begun, given = time.monotonic(), 0
    size = round(_BLOCK * SAMPLE_RATE)
    with stream(path, max_seconds=_LONGEST) as blocks:
        for block in blocks:
            for at in range(0, len(block), size):
                piece = block[at : at + size]
                given += len(piece)
                early = given / SAMPLE_RATE - (time.monotonic() - begun)
                if early > 0 and not fast:  # a microphone gives a block when it is over
                    wait(early)
                yield piece


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MissingExtraError("listening to a microphone", "sounddevice", "live") from None
    except OSError:
        raise AudioError(
            "the microphone needs PortAudio, which is not installed. Install it, with "
            "`apt install libportaudio2` on Debian and Ubuntu, `dnf install portaudio` on Fedora, "
            f"`brew install portaudio` on macOS. {_INSTEAD}"
        ) from None
    return sounddevice
