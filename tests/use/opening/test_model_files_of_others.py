"""A model file is a program that anybody may have written: it may only compute, and be whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from toy_model import CARD, graph, toy_model, write_toy
from vowels import vowels

from emelia import load
from emelia.cli import main
from emelia.config.operators import OPERATORS, SEAL_KEY, is_intact, sealed
from emelia.errors import ModelError
from emelia.use.bundled import shipped
from emelia.use.model import Model
from emelia.use.opening import intact, runtime
from emelia.use.opening.intact import Intact, check_intact, shipped_digests
from emelia.use.opening.rules import RefusedError, check_graph, operators

SOUND = vowels(1.0)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as refused:
        load(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text


def written(path: Path, nodes: list[onnx.NodeProto], **constants: np.ndarray) -> Path:
    """The toy with more nodes in front, of which the last has the output `more`."""
    made = graph()
    for node in reversed(nodes):
        made.node.insert(0, node)
    made.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    made.node.append(helper.make_node("ReduceMax", ["more"], ["largest"], keepdims=0))
    made.node.append(helper.make_node("Mul", ["probabilities_", "largest"], ["probabilities"]))
    for node in made.node[:-1]:
        if "probabilities" in node.output:
            node.output[0] = "probabilities_"
    return write_toy(path, made)


# Whole


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    whole = sealed(toy_model().SerializeToString())
    assert is_intact(whole)
    (path := tmp_path / "toy.onnx").write_bytes(whole)
    model = Model(path)
    assert model.intact is Intact.SEALED and model.card == CARD
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole) - 83, 300, replace=False):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        assert is_intact(bytes(data)) is False
    path.write_bytes(bytes(data))
    assert "its digest is another" in refusal(path) or "damaged" in refusal(path)


def test_a_file_of_an_earlier_version_has_no_digest_and_is_read(tmp_path: Path) -> None:
    model = Model(write_toy(tmp_path / "old.onnx"))
    assert model.intact is Intact.UNKNOWN and "nobody can tell" in model.intact.value


def test_onnx_reads_the_seal_as_metadata() -> None:
    model = onnx.load_from_string(sealed(toy_model().SerializeToString()))
    assert model.metadata_props[-1].key == SEAL_KEY and len(model.metadata_props[-1].value) == 64


def test_every_shipped_file_is_the_one_in_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `make models` it is; else run tools/model_digests.py."""
    assert shipped_digests().keys() == {path.name for path in shipped().values()}
    for path in shipped().values():
        assert check_intact(path, path.read_bytes()) is Intact.SHIPPED
    monkeypatch.setattr(intact, "MODELS", tmp_path)
    name, data = "free.onnx", bytearray(shipped()["free"].read_bytes())
    lines = (intact.Path(shipped()["free"]).parent / intact.SUMS).read_text()
    (tmp_path / intact.SUMS).write_text(lines)
    data[len(data) // 2] ^= 1
    monkeypatch.setattr(intact, "shipped_digests", lambda: shipped_digests(tmp_path))
    with pytest.raises(ModelError, match=r"free\.onnx: is not the file that came with emelia"):
        check_intact(tmp_path / name, bytes(data))


# Only computing


def test_of_all_official_operators_only_those_of_the_list_are_run() -> None:
    schemas = [one for one in onnx.defs.get_all_schemas() if one.domain in OPERATORS]
    names = {one.name for one in schemas if not one.domain}
    assert len(names) > 150 and OPERATORS[""] <= names
    inside = (onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS)
    for schema in schemas:
        holds_graphs = any(one.type in inside for one in schema.attributes.values())
        node = helper.make_node(schema.name, [], ["x"], domain=schema.domain)
        data = helper.make_model(helper.make_graph([node], "g", [], [])).SerializeToString()
        if schema.name in OPERATORS[schema.domain]:
            assert not holds_graphs, schema.name
            check_graph(data)
        else:
            with pytest.raises(RefusedError, match=f"it uses the operator {schema.name}$"):
                check_graph(data)


def test_the_list_has_what_shipped_files_use() -> None:
    for path in shipped().values():
        used = set(operators(path.read_bytes()))
        assert used and all(name in OPERATORS[domain] for domain, name in used)
        check_graph(path.read_bytes())


def endless() -> onnx.ModelProto:
    """A loop of 2^62 turns, in a few hundred bytes."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []),
         value("x", TensorProto.FLOAT, [])],
        [value("on", TensorProto.BOOL, []), value("y", TensorProto.FLOAT, [])],
    )  # fmt: skip
    made = graph()
    made.node.insert(0, helper.make_node("Loop", ["turns", "", "tiny"], ["z"], body=body))
    made.initializer.append(numpy_helper.from_array(np.array(2**62), "turns"))
    return toy_model(made)


def branching() -> onnx.ModelProto:
    made = graph()
    inner = helper.make_graph([helper.make_node("Identity", ["wave"], ["y"])], "inner", [], [])
    made.node.append(helper.make_node("Softmax", ["logits"], ["q"], axis=1))
    made.node[-1].attribute.append(helper.make_attribute("then_branch", inner))
    return toy_model(made)


def functions() -> onnx.ModelProto:
    """Functions that call each other twice: 2^20 nodes once they are written out."""
    model = toy_model()
    for depth in range(20):
        nodes = [helper.make_node(f"f{depth + 1}", ["a"], ["b"], domain="own")] * 2
        opset = [helper.make_opsetid("own", 1)]
        model.functions.append(helper.make_function("own", f"f{depth}", ["a"], ["b"], nodes, opset))
    return model


def with_pads() -> onnx.ModelProto:
    made = graph()
    made.node.append(helper.make_node("MaxPool", ["channel"], ["p"], kernel_shape=[2**40]))
    return toy_model(made)


def long_tail() -> onnx.ModelProto:
    made = graph()
    next(t for t in made.initializer if t.name == "tail").CopyFrom(
        numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 2**33]), "tail")
    )
    return toy_model(made)


def many() -> onnx.ModelProto:
    made = graph()
    made.node.extend(helper.make_node("Abs", ["wave"], [f"a{i}"]) for i in range(5001))
    return toy_model(made)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (endless, "it uses the operator Loop|a graph inside"), (branching, "a graph inside"),
        (functions, "functions of its own"), (with_pads, "sizes above 100,000"),
        (long_tail, "sizes above 100,000"), (many, "more than 5000 nodes"),
    ],
)  # fmt: skip
def test_what_no_export_writes_is_refused_before_it_is_run(
    make: Callable[[], onnx.ModelProto], text: str, tmp_path: Path
) -> None:
    (path := tmp_path / "evil.onnx").write_bytes(make().SerializeToString())
    begun = time.monotonic()
    with pytest.raises(ModelError, match=text):
        load(path)
    assert time.monotonic() - begun < 5


def test_a_graph_that_asks_for_more_memory_than_any_of_ours_is_refused(tmp_path: Path) -> None:
    size = np.array([90_000, 90_000])  # 32 GB
    expanded = [helper.make_node("Expand", ["one_", "size"], ["more"])]
    path = written(tmp_path / "e.onnx", expanded, one_=np.ones(1, np.float32), size=size)
    assert "it asks for more than 4 GB of memory" in refusal(path)
    doubled = [helper.make_node("Expand", ["one_", "size"], ["d0"])]
    doubled += [helper.make_node("Concat", [f"d{i}"] * 2, [f"d{i + 1}"], axis=0) for i in range(24)]
    doubled += [helper.make_node("Identity", ["d24"], ["more"])]
    path = written(
        tmp_path / "d.onnx", doubled, one_=np.ones(1, np.float32), size=np.array([90_000])
    )
    assert "it asks for more than 4 GB of memory" in refusal(path)


def test_a_graph_that_computes_for_hours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_TRIAL", 0.5)
    products = [helper.make_node("Expand", ["one_", "size"], ["m0"])]
    products += [helper.make_node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(2000)]
    products += [helper.make_node("Identity", ["m2000"], ["more"])]
    size = np.array([1200, 1200])
    path = written(tmp_path / "h.onnx", products, one_=np.zeros(1, np.float32), size=size)
    begun = time.monotonic()
    assert "it takes too long" in refusal(path)
    assert time.monotonic() - begun < 20


def test_weights_in_8_bits_are_run(tmp_path: Path) -> None:
    quantised = [
        helper.make_node("DynamicQuantizeLinear", ["sizes_"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["back"]),
        helper.make_node("Clip", ["back", "high", "high"], ["more"]),
    ]
    one = np.array(1, np.float32)
    path = written(tmp_path / "q.onnx", quantised, high=one, sizes_=np.ones((1, 4), np.float32))
    assert load(path).probabilities([SOUND]).shape == (1, 4)


# emelia check


def test_check_says_what_a_file_is_and_whether_it_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["emelia", "check", *arguments])
        try:
            code = main()
        except SystemExit as end:  # as Typer ends what went well
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    code, out, _ = told("free")
    assert code == 0 and "the file that came with this emelia" in out and "can be used" in out
    old = write_toy(tmp_path / "old.onnx")
    code, out, _ = told(str(old))
    assert code == 0 and "nobody can tell" in out and "A toy that listens" in out
    (path := tmp_path / "cut.onnx").write_bytes(sealed(old.read_bytes())[:-1] + b"z")
    code, out, err = told(str(path))
    assert code == 1 and "its digest is another" in err and err.count("\n") == 1 and not out
    (other := tmp_path / "x.onnx").write_bytes(b"RIFF")
    assert told(str(other))[0] == 1
