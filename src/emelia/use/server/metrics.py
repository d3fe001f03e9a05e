"""The server's counters for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Metrics:
    """The counters of one server process, in a registry of its own.

    Args:
        process: which of several it is.
        folder: where all of them leave their counters for each other; empty for one alone.
    """

    def __init__(self, process: str = "", folder: str = "") -> None:
        self._file = Path(folder) / f"{process}.prom" if folder else None
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "emelia_requests_total", "Requests answered.", ["route", "status"], registry=registry
        )
        self.latency = Histogram(
            "emelia_request_seconds",
            "From a request's first line to the answer's last byte.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rejected = Counter(
            "emelia_rejected_total", "Requests refused, by reason.", ["reason"], registry=registry
        )
        self.waiting = Gauge(
            "emelia_jobs_waiting", "Recordings that arrive or wait.", registry=registry
        )
        self.running = Gauge(
            "emelia_jobs_running", "Recordings being worked on.", registry=registry
        )
        self.connections = Gauge(
            "emelia_connections", "Connections that are open.", registry=registry
        )
        self.silent = Counter(
            "emelia_silent_closed_total",
            "Silent connections closed to make room for others.",
            registry=registry,
        )
        self.live = Gauge("emelia_live_sessions", "Live sessions.", registry=registry)
        self.decoded = Counter(
            "emelia_decoded_seconds_total", "Sound decoded or heard live, s.", registry=registry
        )

    def text(self) -> bytes:
        """All counters in Prometheus's text format; of several processes, which each is of."""
        if self._file is None:
            return generate_latest(self._registry)
        self.leave()
        together = CollectorRegistry()
        together.register(_Together(self._file.parent))
        return generate_latest(together)

    def leave(self) -> None:
        """Leave the counters where the other processes find them."""
        if self._file:
            part = self._file.with_suffix(".part")
            part.write_bytes(generate_latest(self._registry))
            part.replace(self._file)  # nobody reads a half


class _Together(Collector):
    """The counters that all processes have left, each with the label `process`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for file in sorted(self._folder.glob("*.prom")):
            for family in text_string_to_metric_families(file.read_text()):
                kind = (family.name, family.documentation, family.type)
                metric = found.setdefault(family.name, Metric(*kind))
                for sample in family.samples:
                    labels = {**sample.labels, "process": file.stem}
                    metric.add_sample(sample.name, labels, sample.value)
        yield from found.values()
