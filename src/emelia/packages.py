"""Packages of others that would tell somebody of their use: imported here, and told not to.

They ask the environment, most of them once, while they are imported; afterwards it is too late.
So whoever needs one imports it by `package`. Processes started later inherit what is set here.
A program that imports one of them before emelia does has to set these variables itself.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

# Those that send something, or would, unless they are told not to.
WITH_TELEMETRY = ("huggingface_hub", "mlflow", "onnxruntime", "transformers")

TELEMETRY_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",  # its own `disable_telemetry_events` comes too late
    "HF_HUB_DISABLE_TELEMETRY": "1",  # also read by transformers and hf_xet
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",  # what several packages have agreed on
}


def disable_telemetry() -> None:
    """Tell packages that are imported from now on to keep to themselves how they are used."""
    os.environ.update(TELEMETRY_OFF)


def package(name: str) -> Any:
    """Import one of `WITH_TELEMETRY`, or a module inside it, by its dotted name.

    Raises:
        ImportError: it is not installed.
    """
    disable_telemetry()
    return import_module(name)
