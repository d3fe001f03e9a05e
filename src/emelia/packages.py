"""Import packages that have telemetry with their telemetry disabled.

Most of them read the environment variables that disable it once, while they are imported. So
emelia imports them only by `package`, which sets the variables first; child processes inherit
them. A program that imports such a package before emelia does must set the variables itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from emelia.errors import MissingExtraError

WITH_TELEMETRY = ("huggingface_hub", "mlflow", "onnxruntime", "ray", "transformers")

TRAINING = ("torch", "lightning_fabric", "safetensors", "onnx", "onnxscript", "scipy")  # of `learn`
STRESS = ("scipy", "pyroomacoustics", "av", "jinja2", "matplotlib")  # of `robustness`

TELEMETRY_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime; its `disable_telemetry_events` comes too late
    "HF_HUB_DISABLE_TELEMETRY": "1",  # also read by transformers and hf_xet
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",  # a convention of several packages
}


def disable_telemetry() -> None:
    """Disable the telemetry of packages that are imported from now on, here and in children."""
    os.environ.update(TELEMETRY_OFF)


def package(name: str) -> Any:
    """Import one of `WITH_TELEMETRY`, or a module in it, by its dotted name and return it.

    Raises:
        ImportError: it is not installed.
    """
    disable_telemetry()
    return import_module(name)


def require_training(purpose: str) -> None:
    """Check that what `learn` is made of is installed, before any work begins.

    Args:
        purpose: what asks for it, as the message begins.

    Raises:
        MissingExtraError: a package is missing; the message has the command that installs it.
    """
    _require(purpose, TRAINING, "train")


def require_stress(purpose: str) -> None:
    """Check that what recordings are put under stress with is installed; see `require_training`."""
    _require(purpose, STRESS, "stress")


def _require(purpose: str, names: Sequence[str], extra: str) -> None:
    for name in names:
        if find_spec(name) is None:
            raise MissingExtraError(purpose, name.replace("_", "-"), extra)
