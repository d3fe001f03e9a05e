"""Parts of packages that these do not promise to keep: each is named here, and bounded above.

A test that fails says which part is gone. Adapt the module that uses it, then raise the bound of
the package in pyproject.toml.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from emelia.learn.export import modelfile

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio")
SMALL = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "conv_dim": [8, 8], "conv_stride": [2, 2], "conv_kernel": [3, 3],
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
# What learn/model/encoders/waveform.py puts together itself.
OF_A_MODEL = (
    "feature_extractor.conv_layers",
    "feature_projection",
    "encoder.pos_conv_embed",
    "encoder.layer_norm",
    "encoder.dropout",
    "encoder.layers",
)


def need(owner: Any, path: str, package: str, user: str) -> Any:
    """The part of a package that a module of emelia uses."""
    try:
        return reduce(getattr, path.split("."), owner)
    except AttributeError:
        version = __import__(package).__version__
        pytest.fail(f"{package} {version} has no {path} any more, which {user} uses")


@pytest.mark.parametrize("package", ["torch", "transformers", "onnx-ir", "onnxscript"])
def test_packages_with_private_parts_have_an_upper_bound(package: str) -> None:
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (line,) = [x for extra in extras.values() for x in extra if re.match(rf"{package}\W", x)]
    assert re.search(r",<\d", line), f"pyproject.toml: {line} has no upper bound"


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_has_the_parts_of_an_encoder_of_waveforms(family: str) -> None:
    transformers = pytest.importorskip("transformers")
    user = "learn/model/encoders/waveform.py"
    config = transformers.CONFIG_MAPPING[family].from_dict({"model_type": family, **SMALL})
    with torch.random.fork_rng():
        model = transformers.AutoModel.from_config(config)
    for path in OF_A_MODEL:
        need(model, path, "transformers", f"{user}, for {family}")
    need(model.feature_extractor.conv_layers[0], "conv", "transformers", user)
    need(model.feature_extractor.conv_layers[0], "activation", "transformers", user)
    positions = ("layers",) if family == "data2vec-audio" else ("conv", "padding", "activation")
    for path in positions:
        need(model.encoder.pos_conv_embed, path, "transformers", user)
    taken = inspect.signature(model.encoder.layers[0].forward).parameters
    asked = {"attention_mask", *(["position_bias"] if family == "wavlm" else [])}
    assert asked <= set(taken), f"a block of {family} takes {list(taken)}; {user} gives {asked}"


def test_torch_exports_a_program_whose_weights_can_be_set_aside() -> None:
    """learn/export/modelfile.py keeps the weights from the exporter's optimizer."""
    pytest.importorskip("onnxscript")
    user, layer, example = "learn/export/modelfile.py", torch.nn.Linear(2, 2), torch.zeros(1, 2)
    with modelfile._quiet():
        traced = torch.export.export(layer, (example,), strict=False)
        program = torch.onnx.export(traced, dynamo=True, opset_version=18, verbose=False)
    need(program, "optimize", "torch", user)
    graph = need(program, "model.graph", "torch", user)
    need(graph, "inputs.append", "onnx_ir", user)
    weight = need(graph, "initializers", "onnx_ir", user)["weight"]
    assert need(weight, "const_value", "onnx_ir", user) is not None
    weight.const_value = None
    del graph.initializers["weight"]
    graph.inputs.append(weight)


def test_torch_names_the_parts_of_a_weight_norm_as_files_do() -> None:
    """learn/model/encoders/waveform.py maps the names of older files to these."""
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(2, 2, 3), dim=2)
    names = {"parametrizations.weight.original0", "parametrizations.weight.original1"}
    assert names <= set(layer.state_dict()), "torch names them otherwise now"


def test_torch_averages_weights_in_a_module_of_its_own() -> None:
    """learn/training/fit.py validates and keeps `AveragedModel.module`."""
    average = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 2))
    assert isinstance(need(average, "module", "torch", "learn/training/fit.py"), torch.nn.Linear)


def test_a_pool_of_processes_knows_its_workers() -> None:
    """learn/study/runner.py ends them at Ctrl-C; Python has no public name for them before 3.14."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert hasattr(pool, "_processes"), "study/runner.py ends workers by ProcessPoolExecutor"
