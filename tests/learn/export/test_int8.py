"""Large matrix products in 8 bits: nearly the same values, and weights that come back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from emelia import load, read_corpus
from emelia.cli import main
from emelia.config.operators import EXACT_SUMS
from emelia.errors import ModelError
from emelia.learn.export.int8 import PRODUCT, in_int8, whole_weights
from emelia.learn.export.modelfile import Session
from emelia.learn.export.restore import load_model_run
from emelia.learn.export.rewriting import fusible
from emelia.learn.export.rounding import Heard, rounded, smoothing
from emelia.use.bundled import find_model
from emelia.use.opening.rules import check_graph

SIZE = 128
KERNEL, MATRIX = "network.conv.weight", "network.linear.weight"


def small_model(size: int = SIZE, kind: type = np.float32) -> onnx.ModelProto:
    """Rows of a waveform through a layer, GELU as torch writes it, and a convolution by two."""
    rng = np.random.default_rng(0)
    weights = {
        MATRIX: rng.normal(0, size**-0.5, (size, size)).astype(kind),
        KERNEL: rng.normal(0, size**-0.5, (size, size, 3)).astype(kind),
        "network.conv.bias": rng.normal(0, 0.1, size).astype(np.float32),
        "rows": np.array([1, -1, size], np.int64),
        **{f"n{n}": np.array(v, np.float32) for n, v in enumerate((0.5, 1.0, 2**0.5))},
    }
    nodes = [
        ("Reshape", ["wave", "rows"], "x", {}),
        ("Cast", [MATRIX], "cast", {"to": 1}),
        ("Cast", [KERNEL], "kernel", {"to": 1}),
        ("Transpose", ["cast"], "matrix", {"perm": [1, 0]}),
        ("MatMul", ["x", "matrix"], "y", {}),
        ("Div", ["y", "n2"], "y1", {}),
        ("Erf", ["y1"], "y2", {}),
        ("Add", ["y2", "n1"], "y3", {}),
        ("Mul", ["n0", "y3"], "y4", {}),
        ("Mul", ["y", "y4"], "gelu", {}),
        ("Transpose", ["gelu"], "columns", {"perm": [0, 2, 1]}),
        ("Conv", ["columns", "kernel", "network.conv.bias"], "probabilities",
         {"pads": [1, 1], "strides": [2], "kernel_shape": [3], "group": 1}),
    ]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(op, i, [o], name=f"of {o}", **more) for op, i, o, more in nodes],
        "small",
        [
            helper.make_tensor_value_info("wave", TensorProto.FLOAT, ["clips", "time"]),
            helper.make_tensor_value_info("samples", TensorProto.INT64, ["clips"]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None] * 3)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def sounds(*rows: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    loud = rng.uniform(0.2, 3, SIZE)  # some inputs are louder than others
    return [(rng.normal(0, 1, (n, SIZE)) * loud).astype(np.float32).ravel() for n in rows]


def asked(model: onnx.ModelProto, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    return Session(model)([wave], ["probabilities"])[0]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_products_and_convolutions_are_nearly_the_same(kind: type) -> None:
    model = small_model(kind=kind)
    made = in_int8(model, sounds(*range(20, 60)))
    onnx.checker.check_model(made)
    check_graph(made.SerializeToString())
    assert [node.op_type for node in made.graph.node].count(PRODUCT) == 2
    assert "Conv" not in {node.op_type for node in made.graph.node}
    for wave in sounds(1, 2, 7, 8, 50):
        want, got = asked(model, wave), asked(made, wave)
        assert got.shape == want.shape
        assert np.square(got - want).mean() ** 0.5 < 0.02 * want.std()


def test_sums_of_bytes_are_exact_on_every_processor() -> None:
    """Only one that lacks VNNI shows it in its answers: the test above fails there without it."""
    for made in (Session(small_model()).session, load("free")._model._session):
        assert made.get_session_options().get_session_config_entry(EXACT_SUMS[0]) == EXACT_SUMS[1]


def test_each_row_has_a_step_of_its_own() -> None:
    model = small_model()
    made = in_int8(model, sounds(*range(20, 60)))
    (wave,) = sounds(8)
    # Loud rows behind do not take the bits of quiet ones in front.
    both = np.concatenate([0.01 * wave, wave])
    want, got = asked(model, both)[..., :3], asked(made, both)[..., :3]
    assert np.square(got - want).mean() ** 0.5 < 0.02 * want.std()


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_weights_come_back_but_for_the_rounding(kind: type) -> None:
    model = small_model(kind=kind)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    found = whole_weights(
        in_int8(model, sounds(*range(20, 60))), {k: v.shape for k, v in stored.items()}
    )
    assert set(found) == {MATRIX, KERNEL}
    for name, values in found.items():
        assert values.shape == stored[name].shape
        assert np.abs(values - stored[name]).max() < 0.25 * stored[name].std()


def test_small_products_are_left_as_they_are() -> None:
    with pytest.raises(ModelError, match="no large matrix products"):
        in_int8(small_model(16), [np.zeros(160, np.float32)])


def test_what_runtimes_fuse_has_the_same_values() -> None:
    model = small_model()
    (wave,) = sounds(9)
    np.testing.assert_allclose(asked(fusible(model), wave), asked(model, wave), atol=1e-5)


def test_rounding_makes_up_for_its_errors() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2000, 8)) @ rng.normal(size=(8, 64)) + rng.normal(size=(2000, 64)) / 9
    matrix = rng.normal(size=(64, 32)).astype(np.float32)
    heard = Heard(np.abs(inputs).max(0).astype(np.float32), inputs.T @ inputs / len(inputs))
    careful = rounded(matrix, heard, np.ones(64, np.float32))
    plain = np.rint(matrix / careful.step) * careful.step

    def error(other: NDArray[Any]) -> float:
        return float(np.square(inputs @ (other - matrix)).mean())

    assert error(careful.matrix) < 0.5 * error(plain)


def test_loud_inputs_are_made_quieter() -> None:
    found = smoothing(np.array([100, 1, 1], np.float32), [np.ones((3, 2), np.float32)])
    np.testing.assert_allclose(found[1:] / found[0], 10, rtol=1e-3)


@pytest.fixture
def emelia(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def run(*words: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        return main()

    return run


def test_only_model_files_are_made_so(
    tmp_path: Path, emelia: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert emelia("export", tmp_path, "--int8", "--out", tmp_path / "a.onnx") != 0
    assert "--int8 is for model files" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_shipped_model_keeps_its_answers(tmp_path: Path, emelia: Callable[..., int]) -> None:
    out, default = tmp_path / "small.onnx", find_model("default")
    assert emelia("export", default, "--int8", "--corpus", "demo", "--out", out) == 0
    small, usual = load(out), load("default")
    assert small.card.variant == "int8" and small.card.parity["int8"]["same"] >= 0.98
    assert "in 8 bits" in out.with_suffix(".md").read_text()
    run, before = load_model_run(out), load_model_run(default)
    for (name, value), other in zip(
        run.network.state_dict().items(), before.network.state_dict().values(), strict=True
    ):
        assert value.shape == other.shape and value.dtype == other.dtype, name
    clips = [u.path for u in read_corpus("demo").utterances[:10]]
    for path in clips:
        got, want = small.predict(path), usual.predict(path)
        assert abs(got.confidence - want.confidence) < 0.05
