"""From several channels to one: their mean, the louder one where they cancel, or a chosen one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emelia.audio.heard import Heard
from emelia.audio.limits import Wave
from emelia.errors import AudioError, ConfigError

MIX, EACH = "mix", "each"
OneChannel = Literal["mix", "left", "right"]
Channel = Literal["mix", "left", "right", "each"]
CHANNELS = (MIX, "left", "right", EACH)  # what people may ask for
# Power of the mean, relative to that of channels which have nothing in common. It is 2 for two
# equal channels, and 0 where one is the other with its sign turned.
_CANCELS = 0.25
_FRAME = 0.05  # s in which the channels are compared
_LOUDER = 10.0  # times as much power: the other party is silent
_ALONE = 0.5  # of a channel's energy lies where the others are silent: it has a speaker of its own
# Correlation of the levels of one voice at two places. Two who speak have less, unless they read
# one sentence in time with each other.
_FOLLOWS = 0.5
_FEWEST = 20  # frames, a second, to tell them apart
_FAINT = 1e-3  # of the loudest channel's energy: only crosstalk or noise


def channel_names(count: int) -> tuple[str, ...]:
    """Names of so many channels: mono, left and right, or numbers."""
    if count == 1:
        return ("mono",)
    return ("left", "right") if count == 2 else tuple(str(n + 1) for n in range(count))


def named(path: str, channel: str) -> str:
    """What the answer to a channel is called: "call.wav [left]", or as the recording."""
    return f"{path} [{channel}]" if channel not in ("", "mono") else path


def check_channel(channel: str) -> str:
    """Refuse what is no channel one may ask for.

    Raises:
        ConfigError: it is none.
    """
    if channel not in CHANNELS:
        raise ConfigError(f"channel: {channel!r}; expected {', '.join(CHANNELS)}.")
    return channel


class Mixer:
    """Turns blocks (T, channels) of one recording into blocks (T,).

    Args:
        channel: `mix`, `left`, `right`, or the number of a channel, from 1.
        name: of the recording, for messages.
        heard: takes the number of channels and what is to be told of them.
    """

    def __init__(self, channel: str, name: str, heard: Heard) -> None:
        self._channel, self._name, self._heard = channel, name, heard
        self._products = np.zeros((0, 0))  # sums over time of each channel times each other
        self._energy = self._alone = np.zeros(0)
        self._levels = np.zeros((0, 0))  # as `_products`, of the levels of frames and a 1

    def __call__(self, block: NDArray[np.floating], rate: int) -> Wave:
        """One channel of a block (T, channels) at `rate` (Hz).

        Raises:
            AudioError: a sample is NaN or infinite, or there is no such channel.
        """
        if not np.isfinite(block).all():
            raise AudioError(f"{self._name}: has samples that are not numbers (NaN or infinite).")
        count = block.shape[1]
        self._heard.channels = max(self._heard.channels, count)
        if self._channel != MIX:
            return np.ascontiguousarray(block[:, self._place(count)], dtype=np.float32)
        if count == 1:
            return np.asarray(block[:, 0], dtype=np.float32)
        rows = np.ascontiguousarray(block.T)  # the other way round every sum takes longer
        self._compare(rows, rate)
        if self._cancel():
            return np.asarray(rows[int(np.diagonal(self._products).argmax())], dtype=np.float32)
        mean = (rows[0] + rows[1]) / 2 if count == 2 else block.mean(axis=1)
        return np.asarray(mean, dtype=np.float32)

    def finish(self) -> None:
        """Tell what the channels were like, at the end of the recording."""
        if self._channel != MIX or not self._products.size:
            return
        if self._cancel():
            self._heard.warn(
                "its channels cancel each other, as of a microphone that is wired the wrong way "
                "round; the loudest was taken."
            )
        elif self._differ():
            many = self._heard.channels
            asked = "left, right or each" if many == 2 else "each"
            self._heard.warn(
                f"its {many} channels differ, as of a call with a party a channel, and were mixed; "
                f"ask for the channel {asked}."
            )

    def _place(self, count: int) -> int:
        place = {"left": 0, "right": 1}.get(self._channel)
        place = int(self._channel) - 1 if place is None else place
        # A recording of one channel is heard on the left.
        if place >= count:
            has = "1 channel" if count == 1 else f"{count} channels"
            raise AudioError(f"{self._name}: has {has}, and no channel {self._channel}.")
        return place

    def _compare(self, rows: NDArray[np.floating], rate: int) -> None:
        """Add a block (channels, T) to the sums."""
        count = len(rows)
        if len(self._energy) != count:  # the first block, or a joined file of another kind
            self._products = np.zeros((count, count))
            self._energy = self._alone = np.zeros(count)
            self._levels = np.zeros((count + 1, count + 1))
        centred = rows - rows.mean(axis=1, keepdims=True)  # an offset is no sound
        self._products = self._products + centred @ centred.T
        size = max(1, round(_FRAME * rate))
        frames = centred[:, : centred.shape[1] // size * size].reshape(count, -1, size)
        power = np.einsum("cfs,cfs->cf", frames, frames)
        levels = np.vstack([np.sqrt(power), np.ones(power.shape[1])])
        self._levels = self._levels + levels @ levels.T
        others = np.sort(power, axis=0)[-2]  # the second loudest
        self._energy = self._energy + power.sum(axis=1)
        self._alone = self._alone + (power * (power >= _LOUDER * others)).sum(axis=1)

    def _cancel(self) -> bool:
        own = float(np.trace(self._products))
        return own > 0 and float(self._products.sum()) < _CANCELS * own

    def _differ(self) -> bool:
        heard = self._energy > _FAINT * self._energy.max(initial=0.0)
        if (heard & (self._alone >= _ALONE * self._energy)).sum() >= 2:
            return True
        sums, frames = self._levels[:-1, -1], self._levels[-1, -1]
        if frames < _FEWEST:
            return False
        covariance = self._levels[:-1, :-1] - np.outer(sums, sums) / frames
        deviations = np.sqrt(np.diagonal(covariance).clip(min=0))
        apart = covariance < _FOLLOWS * np.outer(deviations, deviations)
        return bool((apart & np.outer(heard, heard)).any())
