"""Sources that clients of a server name: in memory alone, bounded in number and age.

A source belongs to a client and a model. It is forgotten when nobody has asked for it for long,
when too many newer ones are asked for, and with the server.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

from emelia.config import Card
from emelia.use.adaptation.source import SourceProfile

_MOST_UPLOADS = 10_000  # told apart in one source
Key = tuple[str, str, str]  # client, name, digest of the model's space


@dataclass(slots=True)
class NamedSource:
    """A source, the uploads it has learnt from, and when it was last asked for."""

    profile: SourceProfile
    uploads: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    asked: float = 0.0

    def is_new(self, upload: bytes | bytearray) -> bool:
        """Note an upload; whether it is the first time, since the same sound tells nothing new."""
        digest = sha256(upload).digest()[:12]
        new = digest not in self.uploads
        self.uploads[digest] = None
        if len(self.uploads) > _MOST_UPLOADS:
            self.uploads.popitem(last=False)
        return new


class NamedSources:
    """The named sources of all clients; any number of threads may ask.

    Args:
        most: how many are kept.
        seconds: how long one is kept after it was last asked for.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._there: OrderedDict[Key, NamedSource] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._there)

    def get(
        self, client: str, name: str, card: Card, known: SourceProfile | None = None
    ) -> NamedSource:
        """The source of a client, a new one that goes on from `known` where there is none.

        Raises:
            ModelError: the model cannot be adapted.
        """
        begun = known.copy() if known else SourceProfile(card)
        now, key = time.monotonic(), (client, name, begun.digest)
        with self._lock:
            self._forget(now)
            if key not in self._there:
                self._there[key] = NamedSource(begun)
            self._there.move_to_end(key)
            self._there[key].asked = now
            while len(self._there) > self._most:
                self._there.popitem(last=False)
            return self._there[key]

    def _forget(self, now: float) -> None:
        """Drop those that nobody has asked for; they are in the order of asking."""
        while self._there:
            first = next(iter(self._there))
            if now - self._there[first].asked <= self._seconds:
                return
            del self._there[first]
