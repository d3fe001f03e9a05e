"""Opens a model file: reads its card and runs its network on waveforms.

The file may come from anybody, so it is read whole up to a size limit, may refer to no other file,
must be as it was written and only compute (`opening`), and is checked against the contract of
`config.card` when it is opened and at every answer.

Shapes: B clips, C labels, M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave
from emelia.config.card import COORDINATES, INPUTS, KEY, OFFSET, OUTPUTS, Card
from emelia.errors import ModelError
from emelia.use import onnxfile
from emelia.use.opening.intact import Intact, check_intact
from emelia.use.opening.rules import RefusedError, check_graph
from emelia.use.opening.runtime import run, session, short

_MOST_BYTES = 200_000_000
_PROBE = 1600  # samples, 0.1 s
_INPUT_KINDS = {"wave": ("tensor(float)", 2), "samples": ("tensor(int64)", 1)}
_OUTPUT_KINDS = {
    "probabilities": ("tensor(float)", 2),
    "logmel": ("tensor(float)", 3),
    "saliency": ("tensor(float)", 3),
    "frames": ("tensor(int64)", 1),
}


class NetworkOutput(NamedTuple):
    """The output of the network for one clip."""

    probabilities: NDArray[np.float32]  # (C,)
    logmel: NDArray[np.float32]  # (M, F)
    saliency: NDArray[np.float32]  # (C, F)
    coordinates: NDArray[np.float32] | None = None  # (K,), of models that can be adapted
    logs: NDArray[np.float64] | None = None  # (C,), of several windows together

    @property
    def log_probabilities(self) -> NDArray[np.float64]:
        """Logarithms (C,) of the probabilities; of several windows, their mean."""
        if self.logs is not None:
            return self.logs
        tiny = np.finfo(np.float32).tiny  # what float32 rounds to 0 is no smaller than this
        return np.log(np.maximum(self.probabilities, tiny).astype(np.float64))


class Model:
    """An ONNX model with a card; any number of threads may use it at once."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Open a file and check that it keeps the contract.

        Raises:
            ModelError: missing, damaged, foreign, of a later version, or in need of other files.
        """
        data = _read(path)
        self.path, self._threads = path, threads
        self.card = _card(path, data)
        self.intact = check_intact(path, data)
        _check_graph(path, data)
        self._session = session(path, data, threads, known=self.intact is Intact.SHIPPED)
        self._size = len(self.card.adaptation.get("variances", ()))
        self._check_contract()

    def __reduce__(self) -> tuple[type[Model], tuple[Path, int]]:
        """Pickled as its path: another process opens the file again."""
        return Model, (self.path.absolute(), self._threads)

    def run(
        self, waves: Sequence[Wave], offset: NDArray[np.float32] | None = None
    ) -> list[NetworkOutput]:
        """Run the network on waveforms (T,) at 16 kHz, zero-padded into one batch.

        Args:
            offset: (K,), that of the source of all of them, or (B, K), one each, for a model that
            can be adapted.

        Raises:
            ModelError: the graph fails, or answers what is no answer.
        """
        samples = np.array([wave.size for wave in waves], np.int64)
        # The graph is told the lengths and ignores the zeros after the end of each waveform.
        batch = np.zeros((len(waves), samples.max()), np.float32)
        for row, wave in zip(batch, waves, strict=True):
            row[: wave.size] = wave
        probabilities, logmel, saliency, frames, *more = self._compute(batch, samples, offset)
        places = more[0] if more else [None] * len(waves)
        return [
            NetworkOutput(p, mel[:, :count], own[:, :count], place)
            for p, mel, own, count, place in zip(
                probabilities, logmel, saliency, frames, places, strict=True
            )
        ]

    @property
    def adaptable(self) -> bool:
        """Whether it tells coordinates and takes the offset of a source."""
        return bool(self.card.adaptation)

    @cached_property
    def readout(self) -> NDArray[np.float64]:
        """What an offset of 1 in each coordinate adds to log-probabilities (C, K).

        Up to a constant for all classes. It is the same for every clip, so it is measured on one.
        """
        noise = np.random.default_rng(0).normal(0, 0.1, _PROBE).astype(np.float32)
        steps = np.eye(self._size + 1, self._size, -1, dtype=np.float32)  # the first is 0
        plain, *moved = (h.log_probabilities for h in self.run([noise] * len(steps), steps))
        return np.array(moved).T - plain[:, None]

    def _compute(
        self,
        wave: NDArray[np.float32],
        samples: NDArray[np.int64],
        offset: NDArray[np.float32] | None,
    ) -> list[Any]:
        given: dict[str, NDArray[Any]] = {"wave": wave, "samples": samples}
        names = [*OUTPUTS, COORDINATES] if self.adaptable else list(OUTPUTS)
        try:
            if offset is not None:
                given |= {OFFSET: np.atleast_2d(offset)}
            out = run(self._session, names, given)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise ModelError(f"{self.path}: its graph fails ({short(error)}).") from None
        probabilities, logmel, saliency, frames, *more = out
        clips, labels = len(wave), len(self.card.labels)
        fits = (
            probabilities.shape == (clips, labels)
            and saliency.shape[:2] == (clips, labels)
            and saliency.shape[2] == logmel.shape[2] >= frames.max(initial=0)
            and len(logmel) == len(frames) == clips
            and all(
                place.shape == (clips, self._size) and np.isfinite(place).all() for place in more
            )
        )
        # Not `all(... >= 0)`, which would let NaN pass.
        if not (fits and bool(((probabilities >= 0) & (probabilities <= 1.001)).all())):
            raise ModelError(f"{self.path}: its graph gives no probabilities. Export it again.")
        return list(out)

    def _check_contract(self) -> None:
        if self.adaptable:
            self._check_adaptation()
        found = {
            "input": (self._session.get_inputs(), INPUTS, _INPUT_KINDS),
            "output": (self._session.get_outputs(), OUTPUTS, _OUTPUT_KINDS),
        }
        for what, (nodes, names, kinds) in found.items():
            try:
                there = {node.name: (node.type, len(node.shape)) for node in nodes}
            except UnicodeDecodeError:
                raise ModelError(
                    f"{self.path}: the name of an {what} is damaged. Use an intact copy."
                ) from None
            there.pop(OFFSET, None)
            if what == "input" and set(there) != set(names):
                expected, got = (", ".join(n) for n in (names, there))
                raise ModelError(f"{self.path}: takes {got}; expected {expected}. Export it again.")
            for name in names:
                if there.get(name) != kinds[name]:
                    kind, size = kinds[name]
                    raise ModelError(
                        f"{self.path}: {what} {name} is {there.get(name, 'missing')}; "
                        f"expected {kind} with {size} dimensions. Export it again."
                    )

    def _check_adaptation(self) -> None:
        """Refuse a card that promises an adaptation which the graph does not have."""
        out = {node.name: node.shape for node in self._session.get_outputs()}
        given = {node.name for node in self._session.get_overridable_initializers()}
        shape = out.get(COORDINATES, [])
        if len(shape) != 2 or shape[1] != self._size or OFFSET not in given:
            raise ModelError(
                f"{self.path}: its card tells how to adapt it, its graph does not fit. "
                "Export it again."
            )


def read_card(path: Path) -> Card:
    """Read the card of a model file without starting its network.

    Raises:
        ModelError: see `Model`.
    """
    return _card(path, _read(path))


def _read(path: Path) -> bytes:
    """The bytes of a file, if it is one and not too large."""
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder; expected a model file (.onnx).")
        if not path.is_file():
            raise ModelError(f"{path}: no such model file.")
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path}: over {_MOST_BYTES // 10**6} MB is no model of emelia.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if not data:
        raise ModelError(f"{path}: is empty; expected a model file.")
    return data


def _check_graph(path: Path, data: bytes) -> None:
    try:
        check_graph(data)
    except RefusedError as error:
        raise ModelError(
            f"{path}: {error}, which no model of emelia does, so it is not run. "
            "Export it again with this version."
        ) from None
    except ValueError as error:
        raise ModelError(f"{path}: its graph is damaged ({error}). Use an intact copy.") from None


def _card(path: Path, data: bytes) -> Card:
    try:
        text = onnxfile.metadata(data).get(KEY)
        outside = onnxfile.refers_to_other_files(data)
    except ValueError as error:
        raise ModelError(
            f"{path}: not an ONNX file, or a damaged one ({error}). Use an intact copy."
        ) from None
    if outside:
        raise ModelError(
            f"{path}: keeps weights in other files, which are not read. Save it as one file."
        )
    try:
        return Card.read(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
