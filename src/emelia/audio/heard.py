"""What is to be told of a recording beside its sound: its channels, and what was amiss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

UNFINISHED = (
    "its header was never finished, as of a recording that broke off; what is there was read."
)
_PARTLY = "could be read;"


@dataclass
class Heard:
    """Filled while a recording is decoded.

    Attributes:
        channels: how many it has.
        declared: seconds that its header promises; 0 where it promises nothing.
        failed: the decoder gave up before the end.
        warnings: one sentence each, without the name of the recording.
    """

    channels: int = 1
    declared: float = 0.0
    failed: bool = False
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def end(self, seconds: float) -> None:
        """Compare what was read with what was promised, at the end of the sound.

        A hundredth is allowed for, since headers round and codecs pad to whole frames.
        """
        if self.declared > seconds + max(0.05, 0.01 * self.declared):
            self.warn(
                f"{seconds:.2f} of {self.declared:.2f} s {_PARTLY} "
                "the file is damaged or cut short."
            )
        elif self.failed:
            self.warn(f"{seconds:.2f} s {_PARTLY} the rest is damaged or cut off.")


def incomplete(warnings: Iterable[str]) -> str:
    """The warning that a recording's end is missing; empty where there is none such."""
    return next((text for text in warnings if text == UNFINISHED or _PARTLY in text), "")
