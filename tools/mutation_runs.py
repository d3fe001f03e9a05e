"""Runs tests in forked processes: once to see which lines they reach, then for each mutant."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_LIBRARIES = (
    "torch", "torch.optim.swa_utils", "scipy.stats", "scipy.signal", "sklearn.linear_model", "onnx",
    "onnxruntime", "soundfile", "soxr", "fastapi", "uvicorn", "httpx", "websockets.sync.client",
    "lightning_fabric", "rich.console", "typer.testing", "matplotlib.pyplot", "pytest", "filelock",
)  # fmt: skip
_SLOWEST = 3.0  # s; longer tests are left out
_MOST = 12.0  # s of tests for a mutant that all of them reach
_QUIET = ("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--tb=no")


@dataclass(frozen=True)
class Baseline:
    """The tests of a module without a mutant: seconds by name, and lines each reaches."""

    tests: dict[str, float]
    lines: dict[str, set[int]]
    failed: list[str]

    def reaching(self, lines: tuple[int, int] | None, all_tests: bool) -> list[str]:
        """Tests that reach a line, the fast ones first; with `all_tests` then the others."""
        fast = sorted(
            (t for t in self.tests if self.tests[t] < _SLOWEST), key=self.tests.__getitem__
        )
        if lines is None:
            first, others = fast, []
        else:
            wanted = set(range(lines[0], lines[1] + 1))
            first = [test for test in fast if self.lines[test] & wanted]
            # What no test of its own reaches, a process or another's fixture may.
            others = [test for test in fast if (all_tests or not first) and test not in first]
        kept, total = [], 0.0
        for test in first + others:
            total += self.tests[test]
            if total > _MOST:
                break
            kept.append(test)
        return kept

    def limit(self, tests: Sequence[str]) -> float:
        """Seconds after which a mutant counts as one that does not end."""
        return 60 + 6 * sum(self.tests[test] for test in tests)


def preload() -> None:
    """Load what every test would load, but nothing of the package itself."""
    os.environ.update(OMP_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_TELEMETRY="1")
    os.environ.update(
        PYTHONDONTWRITEBYTECODE="1", MPLBACKEND="agg", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )
    sys.dont_write_bytecode = True
    for name in _LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)


def baseline(slot: Path, module: Path, tests: Sequence[str]) -> Baseline:
    """Run the tests of a module once, and note the lines of it that each reaches."""
    out = slot / "baseline.json"
    out.unlink(missing_ok=True)
    watch = _Watch(slot / "emelia" / module, out)
    _forked(slot, [*(o for o in _QUIET if o != "-x"), *tests], watch, 900)
    told = json.loads(out.read_text(encoding="utf-8"))
    passed = {test: told["seconds"][test] for test in told["seconds"] if test not in told["failed"]}
    return Baseline(passed, {t: set(told["lines"].get(t, ())) for t in passed}, told["failed"])


def run(slot: Path, tests: Sequence[str], limit: float) -> tuple[str, float]:
    """What becomes of the mutant in a slot, and after how many seconds."""
    begun = time.monotonic()
    code = _forked(
        slot, [*_QUIET, *dict.fromkeys(t.split("::")[0] for t in tests)], _Only(tests), limit
    )
    fate = {0: "survived", None: "endless"}.get(code, "killed")
    return fate, time.monotonic() - begun


def _forked(slot: Path, arguments: Sequence[str], plugin: object, limit: float) -> int | None:
    """The exit code of pytest in a child of this process; None where it took too long."""
    child = os.fork()
    if not child:
        code = 99
        try:
            os.setsid()
            code = _pytest(slot, arguments, plugin)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + limit
    ended, status = 0, 0
    while not ended and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and what its tests have started
    if not ended:
        os.waitpid(child, 0)
        return None
    return os.waitstatus_to_exitcode(status)


def _pytest(slot: Path, arguments: Sequence[str], plugin: object) -> int:
    import pytest

    told = os.open(slot / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    silent = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((silent, 0), (told, 1), (told, 2)):
        os.dup2(descriptor, place)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(slot))
    os.environ["PYTHONPATH"] = str(slot)
    return int(pytest.main([*arguments, f"--basetemp={slot / 'tmp'}"], [plugin]))


class _Only:
    """Runs the chosen tests alone, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place),
            key=lambda item: self._place[item.nodeid],
        )


class _Watch:
    """Notes seconds, failures and reached lines of each test."""

    def __init__(self, module: Path, out: Path) -> None:
        self._module, self._out, self._test = str(module), out, ""
        self._lines: dict[str, set[int]] = {}
        self._seconds: dict[str, float] = {}
        self._failed: list[str] = []

    def pytest_runtest_protocol(self, item: Any) -> None:
        self._test = item.nodeid
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:  # a skipped one says nothing
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        lines = {test: sorted(found) for test, found in self._lines.items()}
        told = {"seconds": self._seconds, "lines": lines, "failed": self._failed}
        self._out.write_text(json.dumps(told), encoding="utf-8")

    def _trace(self, frame: FrameType, event: str, value: object) -> Any:
        if frame.f_code.co_filename != self._module:
            return None
        own = self._lines.setdefault(self._test, set())

        def line(frame: FrameType, event: str, value: object) -> Any:
            own.add(frame.f_lineno)
            return line

        own.add(frame.f_lineno)
        return line
