"""Export of a run folder as a model file: graph, calibration, card and parity check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from emelia.config import Card
from emelia.config.card import ADAPTED
from emelia.console import Progress
from emelia.learn.export.calibrate import TARGET_ACCURACY, Threshold, calibrated
from emelia.learn.export.card import adaptation_of, make_card
from emelia.learn.export.graph import Graph
from emelia.learn.export.modelfile import Session, halved, to_onnx, with_card
from emelia.learn.export.parity import (
    HALF,
    MOST,
    WHOLE,
    Limits,
    compare,
    decoded,
    recordings,
    spaced,
    synthesised,
)
from emelia.learn.export.restore import metadata_of, settings_of
from emelia.learn.export.temperature import Answers, read_answers, read_left_out
from emelia.learn.training.runs import Run, load_run
from emelia.text import counted


@dataclass(frozen=True)
class Exported:
    """A model file and what it was made from."""

    run: Run
    model: onnx.ModelProto
    card: Card
    threshold: Threshold
    missing: int  # recordings of the run that are not where they were, or no longer readable

    @property
    def file(self) -> bytes:
        """The whole file."""
        return with_card(self.model, self.card, metadata_of(self.run, self.model))


def export(
    folder: Path,
    progress: Progress,
    *,
    name: str,
    title: str = "",
    licence: str = "",
    accuracy: float = TARGET_ACCURACY,
    half: bool = False,
    calibrate: Path | None = None,
    stress: Mapping[str, Any] | None = None,
    compared: int = MOST,
) -> Exported:
    """Make a model file from a run folder, in memory; see `export_run`.

    Args:
        calibrate: answers to clips of corpora that trainings by the same recipe left out, which
            then stand for those of the validation clips.
        stress: figures of a stress test, for the card.
        compared: recordings on which file and network are compared at most.

    Raises:
        RunError: the folder is no finished run, or its answers are missing or damaged.
        ModelError: the file gives other probabilities than the network.
    """
    run = load_run(folder)
    answers = read_answers(folder, len(run.classes))
    if calibrate:
        answers |= read_left_out(calibrate, run.classes)
    made = export_run(
        run, answers, progress,
        name=name, title=title, licence=licence, accuracy=accuracy, half=half, compared=compared,
    )  # fmt: skip
    return replace(made, card=replace(made.card, stress=stress or {}))


def export_run(
    run: Run,
    answers: Mapping[str, Answers],
    progress: Progress,
    *,
    name: str,
    title: str = "",
    licence: str = "",
    accuracy: float = TARGET_ACCURACY,
    half: bool = False,
    compared: int = MOST,
) -> Exported:
    """Make a model file from a run and its answers by part, in memory.

    Args:
        answers: of validation and test clips. Where there are some to corpora left out (part
            `unseen`), those calibrate, and those of part `adapted` what is adapted.
        accuracy: share of the accepted answers that should be right.
        half: store weights in 16 bits.
        compared: recordings on which file and network are compared at most.

    Raises:
        ModelError: the file gives other probabilities than the network.
    """
    run.network.eval()
    chosen = calibrated(answers, run.classes, _held_out(run), accuracy)
    card = make_card(run, answers, chosen, name=name, title=title, licence=licence)
    progress.start("graph", 1)
    scale = chosen["validation"].temperature
    graph = Graph(run.recipe, run.network, scale, run.space)
    model = to_onnx(graph)
    progress.finish("graph")
    model = halved(model) if half else model
    there = {id: path for part in recordings(run.about).values() for id, path in part.items()}
    picked = spaced(there, compared)
    parity = _check(run, Session(model), scale, picked, HALF if half else WHOLE, progress)
    card = replace(
        card,
        variant="float16" if half else card.variant,
        parity=parity,
        settings=settings_of(run.recipe),
        adaptation=(
            adaptation_of(run.space, run.classes, chosen[ADAPTED])
            if graph.space and run.space
            else {}
        ),
    )
    listed = sum(map(len, run.about.get("parts", {}).values()))
    read = 0 if parity["made"] else parity["clips"]
    missing = listed - len(there) + len(picked) - read
    return Exported(run, model, card, chosen["validation"].threshold, missing)


def _held_out(run: Run) -> str:
    """By what validation clips are left out; fine-tuning that changed nothing has one corpus."""
    return "speakers" if run.about.get("unchanged") else run.recipe.train.selection_groups


def _check(
    run: Run,
    session: Session,
    scale: float,
    paths: Mapping[str, Path],
    limits: Limits,
    progress: Progress,
) -> dict[str, Any]:
    """Compare file and network on recordings of the run or, if all are gone, synthetic sounds."""
    progress.start("check", len(paths) or 1)
    tick = partial(progress.step, "check")
    found = compare(run, session, scale, decoded(run, paths), tick, limits)
    made = not found.clips
    if made:
        found = compare(run, session, scale, synthesised(run), lambda done: None, limits)
    progress.finish(
        "check", f"{counted(found.clips, 'clip')}, largest difference {found.largest:.1e}"
    )
    return {
        "clips": found.clips,
        "made": made,
        "largest": float(f"{found.largest:.2g}"),
        "limit": limits.difference,
        "same": round(found.same, 4),
        **({} if made else {"seconds": [round(length, 2) for length in found.seconds]}),
    }
