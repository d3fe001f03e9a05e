"""Peak memory of a process of its own.

`ru_maxrss` will not do: it starts with what the process held before it became another program,
which is all of pytest. The kernel's VmHWM starts anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
_TELL = f"""
import atexit
from pathlib import Path
atexit.register(lambda: print(Path({str(STATUS)!r}).read_text()))
"""


def measured(code: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run Python code in a fresh process; return how it ended and its peak memory in MB."""
    if not STATUS.exists():
        pytest.skip("this system does not tell the peak memory of a process")
    command = [sys.executable, "-c", _TELL + code, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return run, _peak(run.stdout, run.stderr)


def peak_of(process: int) -> float:
    """The peak memory so far of a process that runs, in MB."""
    return _peak(Path(f"/proc/{process}/status").read_text())


def _peak(told: str, otherwise: str = "") -> float:
    peak = re.search(r"VmHWM:\s+(\d+) kB", told)
    assert peak is not None, otherwise
    return int(peak[1]) / 1024
