"""The server's counters for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
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
        """All counters in Prometheus's text format."""
        return generate_latest(self._registry)
