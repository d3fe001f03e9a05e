"""Convolutions in 8-bit integers: tried, measured against the float32 file, kept where they win.

Only the network's own convolutions change. The front end and the pooling stay in float32: they
reach over ranges that 8 bits cannot hold, and cost little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from emelia.audio import Wave
from emelia.config import Card
from emelia.console import Progress
from emelia.errors import RunError
from emelia.learn.calibrate import Answers
from emelia.learn.card_figures import figures
from emelia.learn.export import Exported
from emelia.learn.modelfile import Session, batch, fused, with_card
from emelia.learn.parity import hear, recordings
from emelia.packages import package

FASTER = 1.3  # times; less is not worth a second file
WORSE = 1.0  # points of validation accuracy that may be lost, at most
_SAMPLES = 100  # training clips that show how large the values get


@dataclass(frozen=True)
class Quantised:
    """An int8 file and whether it is worth having."""

    model: onnx.ModelProto
    card: Card
    wins: bool
    verdict: str  # one sentence with the figures

    @property
    def file(self) -> bytes:
        """The whole file."""
        return with_card(self.model, self.card)


@dataclass(frozen=True)
class _Trial:
    """Both files on the same clips of one part, N of them."""

    plain: Answers
    small: Answers
    speeds: NDArray[np.float64]  # (N,) how many times as fast the int8 file was

    @property
    def change(self) -> float:
        """Of the accuracy, in points."""
        before, after = (a.logits.argmax(1) == a.truth for a in (self.plain, self.small))
        return 100 * float(after.mean() - before.mean())

    @property
    def agreement(self) -> float:
        """Share of clips that get the same answer."""
        return float((self.plain.logits.argmax(1) == self.small.logits.argmax(1)).mean())


def quantise(made: Exported, progress: Progress) -> Quantised:
    """Make the int8 file of an export, in memory, and measure it on validation and test clips.

    Raises:
        RunError: the recordings of the run are not where they were.
    """
    paths = recordings(made.run.about)
    if not all(paths.get(part) for part in ("train", "validation", "test")):
        raise RunError("int8 needs the recordings of the run, which are not where they were.")
    train = dict(list(paths["train"].items())[:: len(paths["train"]) // _SAMPLES + 1])
    progress.start("int8", 1 + len(paths["validation"]) + len(paths["test"]))
    model = _integers(fused(made.model), [sound.bare for sound in hear(made.run, train)])
    trials = {
        part: _try(made, model, part, paths[part], progress) for part in ("validation", "test")
    }
    progress.finish("int8")
    return _judge(made, model, trials)


def _integers(model: onnx.ModelProto, waves: Sequence[Wave]) -> onnx.ModelProto:
    """Replace the network's convolutions, with ranges from the largest values of some clips."""
    tools = package("onnxruntime.quantization")
    shapes = package("onnxruntime.quantization.shape_inference")

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = iter(waves)

        def get_next(self) -> Mapping[str, NDArray[np.generic]] | None:
            wave = next(self.left, None)
            return None if wave is None else batch([wave])

    with tempfile.TemporaryDirectory() as folder:  # the tools know only files
        ready, small = f"{folder}/ready.onnx", f"{folder}/small.onnx"
        shapes.quant_pre_process(model, ready, skip_optimization=True, skip_symbolic_shape=True)
        tools.quantize_static(
            ready, small, Reader(), nodes_to_quantize=_convolutions(model), per_channel=True,
            activation_type=tools.QuantType.QUInt8, weight_type=tools.QuantType.QInt8,
        )  # fmt: skip
        return onnx.load(small)


def _convolutions(model: onnx.ModelProto) -> list[str]:
    def ours(names: Sequence[str]) -> bool:
        return any(n.startswith("network.") and not n.startswith("network.pool.") for n in names)

    return [node.name for node in model.graph.node if node.op_type == "Conv" and ours(node.input)]


def _try(
    made: Exported, model: onnx.ModelProto, part: str, paths: Mapping[str, Path], bar: Progress
) -> _Trial:
    """Ask both files in turn, so that whatever slows the machine slows both."""
    sessions = Session(made.model), Session(model)
    answers = made.answers[part]
    place = {id: number for number, id in enumerate(answers.ids)}
    asked, chances, seconds = [], [], []
    begun = 1 if part == "validation" else 1 + len(made.answers["validation"].ids)
    for sound in hear(made.run, {id: path for id, path in paths.items() if id in place}):
        asked.append(place[sound.id])
        for session in sessions:
            start = time.perf_counter()
            chances.append(session([sound.bare])[0][0])
            seconds.append(time.perf_counter() - start)
        bar.step("int8", begun + len(asked))
    if not asked:
        raise RunError(f"int8: none of the {len(paths)} {part} recordings can be read.")
    logs = np.log(np.array(chances, np.float64).clip(1e-30)).reshape(len(asked), 2, -1)
    times = np.array(seconds).reshape(-1, 2)
    plain, small = (_answers(answers, asked, logs[:, i]) for i in (0, 1))
    return _Trial(plain, small, times[:, 0] / times[:, 1])


def _answers(known: Answers, places: Sequence[int], logits: NDArray[np.float64]) -> Answers:
    def pick(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(names[i] for i in places)

    names = (known.ids, known.corpora, known.speakers, known.genders)
    ids, corpora, speakers, genders = map(pick, names)
    return Answers(ids, corpora, speakers, genders, known.truth[places], logits)


def _judge(made: Exported, model: onnx.ModelProto, trials: Mapping[str, _Trial]) -> Quantised:
    check, test = trials["validation"], trials["test"]
    speed = float(np.median(np.concatenate([check.speeds, test.speeds])))
    wins = speed >= FASTER and check.change > -WORSE
    verdict = (
        f"int8 {'wins' if wins else 'does not win and was not written'}: "
        f"{speed:.2f} times as fast on one thread (wanted {FASTER:g}), validation accuracy "
        f"{check.change:+.1f} points (allowed -{WORSE:g}), test {test.change:+.1f}; the same "
        f"answer on {100 * test.agreement:.1f} % of test clips."
    )
    card = made.card
    small = replace(
        card,
        variant="int8",
        # The temperature is inside: these are logarithms of finished probabilities.
        metrics={
            part: figures(trial.small, card.labels, 1.0, card.threshold)
            for part, trial in trials.items()
        },
        parity={
            "clips": len(test.speeds),
            "agreement": round(test.agreement, 4),
            "accuracy_change": round(test.change, 2),
            "speed": round(speed, 2),
        },
    )
    return Quantised(model, small, wins, verdict)
