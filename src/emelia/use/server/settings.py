"""The settings of a server: address, models and limits."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, fields

from emelia.errors import ConfigError

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, which models to offer, and limits on requests.

    Raises:
        ConfigError: a value that cannot be.
    """

    models: tuple[str, ...] = ("default",)  # names or files; the first answers if none is asked
    host: str = "127.0.0.1"
    port: int = 8000  # 0: any free one
    names: tuple[str, ...] = ()  # by which clients call it besides, where a proxy stands in front
    token: str | None = None  # what clients have to show
    max_mb: float = 50.0  # of one upload
    max_seconds: float = 3600.0  # of one recording
    max_jobs: int = 2  # recordings worked on at once
    queue: int = 8  # and so many more that arrive or wait
    timeout: float = 300.0  # s a recording may wait and be worked on
    upload_seconds: float = 60.0  # until an upload has arrived
    upload_pause: float = 10.0  # s without a byte of it
    decoder_mb: int = 512  # memory to decode one recording
    max_live: int = 8  # live sessions at once
    live_seconds: float = 3600.0  # of sound in one of them
    live_idle: float = 30.0  # s without sound
    source: str | None = None  # file of a source that all answers of its model are adapted to
    max_sources: int = 1000  # named by clients, kept in memory
    source_hours: float = 24.0  # after which one that nobody asks for is forgotten
    grace: float = 10.0  # s to finish what runs when told to stop
    process: str = ""  # which of several processes behind one socket; empty for one alone
    metrics_folder: str = ""  # where they leave their counters for each other

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type in ("int", "float") and item.name not in ("port", "queue"):
                _check_positive(item.name, value)
        if not (0 <= self.port <= 65_535 and self.queue >= 0 and self.models):
            raise ConfigError(
                f"port {self.port}, queue {self.queue}, {len(self.models)} models; "
                "expected a port of 0 to 65535, a queue of 0 or more, and a model."
            )
        if self.token is not None and not re.fullmatch(r"[!-~]{8,}", self.token):
            raise ConfigError(
                "the token is too short or has odd characters; expected at least 8 letters, "
                "digits or signs of ASCII without spaces."
            )

    @property
    def max_bytes(self) -> int:
        """Bytes of one upload at most."""
        return round(self.max_mb * 1e6)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def takes(self, name: str) -> bool:
        """Whether a request for this host name, in lower case and without a port, is for us.

        Where names were given, and on this machine alone, only those. Else any address, for a page
        of another site cannot point one here (DNS rebinding), and any name if a token is asked for.
        """
        if self.loopback or self.names:
            ours = {self.host, *(name.lower() for name in self.names)}
            return name in _LOOPBACK_NAMES | ours
        return self.token is not None or name in _LOOPBACK_NAMES or _is_address(name)

    @property
    def called(self) -> str:
        """What it is called by, for people."""
        unnamed = not (self.loopback or self.names)
        return "by its address alone" if unnamed else self.host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name}: {value:g}; expected a number above 0.")
