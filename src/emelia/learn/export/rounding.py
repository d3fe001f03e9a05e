"""Weights in 8 bits: how a matrix is rounded so that its products change least.

K inputs, N outputs of a matrix product; rows are what it multiplies, frames of sounds.

Errors of single frames cancel out when a clip is pooled; those of a weight are the same in every
frame. So weights are rounded with care: where one is rounded up, those that come later make up for
it, as far as the inputs of both go together (GPTQ, Frantar et al. 2022). Inputs are rounded row by
row as a model runs. So that a few loud inputs do not cost the others their bits, each is divided by
a number of its own, and its weights multiplied by it (SmoothQuant, Xiao et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
MOST = 127  # of a weight, in steps
_DAMPING = 0.01  # share of the mean square of inputs that is added to each: few sounds tell little
_BLOCK = 128  # rows of a matrix that are made up for at once
_TINY = 1e-6


@dataclass(frozen=True)
class Heard:
    """What the inputs (K,) of a product were on some sounds."""

    largest: Array  # (K,) absolute values
    squares: NDArray[np.float64]  # (K, K) mean products of two inputs


@dataclass(frozen=True)
class Rounded:
    """A matrix in 8 bits."""

    steps: NDArray[np.int8]  # (K, N)
    step: Array  # (N,) what one step is worth
    smoothing: Array  # (K,) inputs are multiplied by it before

    @property
    def matrix(self) -> Array:
        """The matrix (K, N) as it is used."""
        return self.steps.astype(np.float32) * self.step * self.smoothing[:, None]


def smoothing(largest: Array, matrices: list[Array]) -> Array:
    """By what inputs (K,) are multiplied before they are rounded, for all matrices they go to."""
    weights = np.max([np.abs(matrix).max(1) for matrix in matrices], axis=0)
    found = np.sqrt((weights + _TINY) / (largest + _TINY))
    return np.asarray(found / np.exp(np.log(found).mean()), np.float32)


def rounded(matrix: Array, heard: Heard, smooth: Array) -> Rounded:
    """Round a matrix (K, N), each column with a step of its own."""
    left = matrix.astype(np.float64) / smooth[:, None]
    step = np.maximum(np.abs(left).max(0), _TINY) / MOST
    squares = heard.squares * np.outer(smooth, smooth)
    # What is heard most comes first, while there are most others to make up for it.
    order = np.argsort(-np.diag(squares))
    makeup = _makeup(squares[order][:, order])
    steps = np.empty(matrix.shape, np.int8)
    steps[order] = _in_turn(left[order] / step, makeup)
    return Rounded(steps, step.astype(np.float32), smooth)


def _makeup(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How an error of each row is made up for by the later ones: (K, K), upper triangular."""
    damped = squares + (_DAMPING * np.diag(squares).mean() + 1e-12) * np.eye(len(squares))
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T)


def _in_turn(left: NDArray[np.float64], makeup: NDArray[np.float64]) -> NDArray[np.int8]:
    """Whole steps (K, N) of a matrix in steps, row by row."""
    steps = np.empty(left.shape, np.int8)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(left)))
        errors = np.empty_like(left[block])
        for row in range(block.start, block.stop):
            steps[row] = np.clip(np.rint(left[row]), -MOST, MOST)
            errors[row - start] = (left[row] - steps[row]) / makeup[row, row]
            inside = slice(row + 1, block.stop)
            left[inside] -= np.outer(makeup[row, inside], errors[row - start])
        left[block.stop :] -= makeup[block, block.stop :].T @ errors
    return steps
