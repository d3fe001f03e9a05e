"""A run folder becomes a model file: export, calibration, card, and proof that it is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import onnx

from emelia.config import Card
from emelia.console import Progress
from emelia.learn.calibrate import Answers, read_answers, temperature
from emelia.learn.card import make_card
from emelia.learn.graph import Graph
from emelia.learn.modelfile import Session, to_onnx, with_card
from emelia.learn.parity import LIMIT, compare, hear, make, recordings
from emelia.learn.runs import Run, load_run


@dataclass(frozen=True)
class Exported:
    """A model file and what it was made from."""

    run: Run
    answers: Mapping[str, Answers]  # by part: validation, test
    model: onnx.ModelProto
    card: Card
    missing: int  # recordings of the run that are not where they were, or no longer readable

    @property
    def file(self) -> bytes:
        """The whole file."""
        return with_card(self.model, self.card)


def export(
    folder: Path, progress: Progress, *, name: str, title: str = "", licence: str = ""
) -> Exported:
    """Make a model file from a run folder, in memory.

    Raises:
        RunError: the folder is no finished run, or its answers are missing or damaged.
        ModelError: the file does not answer as the network does.
    """
    run = load_run(folder)
    run.network.eval()
    answers = read_answers(folder, len(run.classes))
    heat = temperature(answers["validation"])
    card = make_card(run, answers, heat, name=name, title=title, licence=licence)
    progress.start("graph", 1)
    model = to_onnx(Graph(run.recipe, run.network, heat))
    progress.finish("graph")
    clips, largest = _compare(run, model, heat, progress)
    listed = sum(map(len, run.about.get("parts", {}).values()))
    made = not clips
    if made:
        clips, largest = compare(run, Session(model), heat, make(run), lambda done: None)
    progress.finish("check", f"{clips} clips, largest difference {largest:.1e}")
    parity = {"clips": clips, "made": made, "largest": float(f"{largest:.2g}"), "limit": LIMIT}
    missing = listed if made else listed - clips
    return Exported(run, answers, model, replace(card, parity=parity), missing)


def _compare(
    run: Run, model: onnx.ModelProto, heat: float, progress: Progress
) -> tuple[int, float]:
    """Ask about all recordings that are there and can be read."""
    paths = {id: path for part in recordings(run.about).values() for id, path in part.items()}
    progress.start("check", len(paths) or 1)
    tick = partial(progress.step, "check")
    return compare(run, Session(model), heat, hear(run, paths), tick)
