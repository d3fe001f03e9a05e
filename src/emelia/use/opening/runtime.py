"""ONNX Runtime with a bounded memory and a bounded time, since a model file is a program.

The rules of `opening.rules` leave graphs that only compute. They may still ask for more memory
than there is, by sizes that depend on the sound, or compute for hours. So all models of a process
share an allocator with a limit, and a run that takes far longer than the sound lasts is ended.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from emelia.config.operators import EXACT_SUMS
from emelia.errors import ModelError
from emelia.packages import package

_MOST_MEMORY = 4 * 2**30  # bytes of all models of a process at work; ours take 0.3 a core
_FATAL = 4  # the only severity at which ONNX Runtime itself may print; we tell of all others
_SAME_AS_ASKED = 1  # how the allocator grows: by what is asked for, instead of doubling
_PATIENCE, _PACE = 120.0, 20.0  # s that a run may take in any case, and for each second of sound
_TRIAL = 20.0  # s for the first run of a file that anybody may have made
_SAMPLE_RATE = 16_000  # Hz


def session(path: Path, data: bytes, threads: int, known: bool) -> Any:
    """An inference session for the bytes of a model file.

    Args:
        path: for messages.
        data: the file, of which `rules.check_graph` has approved.
        threads: how many compute one answer.
        known: it is a file of this project; others are run once before they are optimised.

    Raises:
        ModelError: ONNX Runtime cannot use it, or it asks for too much memory or time.
    """
    if not known:
        _try(path, data)
    return _open(path, data, threads, optimised=True)


def run(made: Any, names: Sequence[str], given: Mapping[str, Any]) -> list[Any]:
    """The outputs of a session, with as much time as its sound allows.

    Raises:
        Exception: ONNX Runtime's own, which have no base.
    """
    seconds = given["wave"].size / _SAMPLE_RATE
    return list(_timed(made, list(names), given, _PATIENCE + _PACE * seconds))


def short(error: Exception) -> str:
    """The first line of an error of ONNX Runtime, without its codes."""
    text = str(error).strip().split("\n")[0].rpartition("[ONNXRuntimeError] : ")[2]
    if "Available memory of" in str(error):
        return f"it asks for more than {_MOST_MEMORY // 2**30} GB of memory"
    if "terminate flag" in str(error):
        return "it takes too long"
    return text[:200].rstrip(". ") or type(error).__name__


def _try(path: Path, data: bytes) -> None:
    """Run a file on a second of silence as it is: an optimiser computes without any limit."""
    made = _open(path, data, threads=1, optimised=False)
    names = {one.name for one in made.get_inputs()}
    given = {"wave": np.zeros((1, _SAMPLE_RATE), np.float32), "samples": np.array([_SAMPLE_RATE])}
    if not names >= set(given):
        return  # another contract, of which `Model` will tell
    try:
        _timed(made, None, given, _TRIAL)
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        text = short(error)
        if text.startswith(("it asks", "it takes")):
            raise ModelError(f"{path}: {text}. It is no model of emelia.") from None


def _timed(made: Any, names: list[str] | None, given: Mapping[str, Any], seconds: float) -> Any:
    options = package("onnxruntime").RunOptions()
    options.log_severity_level = _FATAL
    # What a long clip needed is given back at its end.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    timer = threading.Timer(seconds, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        return made.run(names, dict(given), options)
    finally:
        timer.cancel()


def _open(path: Path, data: bytes, threads: int, *, optimised: bool) -> Any:
    onnxruntime = _runtime()
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.enable_mem_pattern = False  # clips differ in length: planned for each, it would grow
    options.add_session_config_entry(*EXACT_SUMS)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise ModelError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot use it ({short(error)}). "
            "Use an intact copy, or export it again."
        ) from None


@cache
def _limit_memory() -> None:
    """Register the allocator that all models share, once in a process."""
    onnxruntime = _runtime()
    arena = onnxruntime.OrtArenaCfg(
        {
            "max_mem": _MOST_MEMORY,
            "arena_extend_strategy": _SAME_AS_ASKED,
            "initial_chunk_size_bytes": 2**20,
            "max_dead_bytes_per_chunk": -1,
        }
    )
    kinds, memory = onnxruntime.OrtAllocatorType, onnxruntime.OrtMemType
    where = onnxruntime.OrtMemoryInfo("Cpu", kinds.ORT_ARENA_ALLOCATOR, 0, memory.DEFAULT)
    onnxruntime.create_and_register_allocator(where, arena)


def _runtime() -> Any:
    try:
        return package("onnxruntime")
    except ImportError as error:  # it is always installed, but its library may not load
        raise ModelError(
            f"ONNX Runtime cannot be loaded ({str(error).partition(chr(10))[0]}). "
            "Install it again: pip install --force-reinstall onnxruntime"
        ) from None
