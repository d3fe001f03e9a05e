"""Counts the open connections of a server and keeps room for clients that ask something.

A connection that waits for its client costs a place, and anybody can open thousands. So there are
so many places in all and for each address. Where none is left, the connection that has been silent
longest is closed for the new one; only where all of them are being answered is the new one refused.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from emelia.use.server.errors import REASONS
from emelia.use.server.metrics import Metrics

PLACES = 200
PLACES_EACH = 100  # of one address; a proxy on this machine may have all
_RESERVE = 128  # descriptors for models, decoders and connections that are just being taken
_log = logging.getLogger("emelia.server")


class Connection(Protocol):
    """What `Connections` must know of one."""

    @property
    def silent(self) -> bool:
        """Whether nothing is being answered on it."""

    def drop(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections of one server; all methods are called in its event loop."""

    def __init__(self, metrics: Metrics, most: int = PLACES, each: int = PLACES_EACH) -> None:
        self._metrics, self._most, self._each = metrics, most, each
        self._open: dict[Connection, str] = {}  # with its address; the longest silent first
        self._untold, self._told = 0, 0.0  # refusals not logged yet, and when some were

    def take(self, connection: Connection, address: str) -> bool:
        """Give a new connection a place; False where there is none, whatever is closed for it."""
        mine = [one for one, its in self._open.items() if its == address]
        if len(mine) >= self._each and not _on_this_machine(address) and not self._close_one(mine):
            return False
        if len(self._open) >= self._most and not self._close_one(self._open):
            return False
        self._open[connection] = address
        self._show()
        return True

    def active(self, connection: Connection) -> None:
        """Note that a connection has just asked or been answered."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def replace(self, old: Connection, new: Connection) -> None:
        """Let another protocol take over the place of a connection."""
        if old in self._open:
            self._open[new] = self._open.pop(old)

    def free(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._open.pop(connection, None)
        self._show()

    def refused(self, status: int) -> None:
        """Count a refusal that the application never saw, and log it; a flood once a second."""
        self._metrics.requests.labels("connection", str(status)).inc()
        self._metrics.rejected.labels("full" if status == 503 else REASONS[status]).inc()
        self._untold += 1
        if time.monotonic() - self._told >= 1:
            _log.info("connection %d, %d of them", status, self._untold)
            self._untold, self._told = 0, time.monotonic()

    def _close_one(self, among: Iterable[Connection]) -> bool:
        """Close the longest silent connection of the address that has most of them."""
        silent = [one for one in among if one.silent]
        if not silent:
            return False
        held = Counter(self._open.values())
        chosen = max(silent, key=lambda one: held[self._open[one]])
        del self._open[chosen]
        chosen.drop()
        self._metrics.silent.inc()
        return True

    def _show(self) -> None:
        self._metrics.connections.set(len(self._open))


def places() -> int:
    """How many connections this process can hold, after asking for more descriptors if need be."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows; or it is not allowed
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = PLACES + _RESERVE
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(8, min(PLACES, soft - _RESERVE))
    return PLACES


def _on_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:  # a socket of this machine
        return True
