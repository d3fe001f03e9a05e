"""The house keeps its shape: imports go one way, light parts stay light, promises are kept."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import emelia

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"

# Bottom to top; a package is one layer.
LAYERS = (
    "errors",
    "text",
    "config",
    "storage",
    "caches",
    "packages",
    "processes",
    "console",
    "layout",
    "table",
    "emotions",
    "source_offset",
    "audio",
    "listing",
    "metrics",
    "results",
    "corpora",
    "learn",
    "show",
    "use",
    "scale",
    "robustness",
    "api",
    "plot",
    "cli",
)
# The folders and modules of a package, bottom to top: each imports only from those before it.
ORDER = {
    "listing": "parquet raters sheet columns spans finding",
    "corpora": "sources records seen paths scan known reading splits fetching",
    "corpora.known": "english europe asia_africa demo_voices demo_synthesis demo",
    "learn": "model data training export study",
    "show": "style terms describe speakers tries tables page beside report evaluation stress"
    " explore process answer card",
    "use": "inputs labels onnxfile opening answer model bundled waveforms batching microphone"
    " timeline moments pooling adaptation clips answering recognizer formats scoring server",
    "scale": "cluster remote scoring training",
    "api": "answer_tables trained joined evaluation stress spectrograms training_results training"
    " searching shipped finetuning repeating export pages",
    "cli": "options command reading_rules extras next_steps common evaluation_output training_run"
    " model_output progress cost runners answers listening timeline commands",
}
HEAVY = (
    "audiomentations",
    "av",
    "fastapi",
    "fsspec",
    "huggingface_hub",
    "jinja2",
    "librosa",
    "lightning_fabric",
    "matplotlib",
    "mlflow",
    "noisereduce",
    "numba",
    "onnx",
    "optuna",
    "pyarrow",
    "pyloudnorm",
    "pyroomacoustics",
    "ray",
    "scipy",
    "sklearn",
    "sounddevice",
    "tensorboard",
    "torch",
    "transformers",
    "yaml",
)
# Names under which packages are imported, where they differ from those they are installed by.
INSTALLED_AS = {
    "huggingface_hub": "huggingface-hub",
    "mlflow": "mlflow-skinny",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by its dotted name: "emelia.corpora.known.europe.aesdd"."""
    for path in sorted((SOURCE / "emelia").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())
LAYERED = [name for name in MODULES if name not in ("emelia", "emelia.__main__")]
# The server is an extra of its own, and stands on a framework.
APART = ("emelia.learn", "emelia.scale.training", "emelia.use.server")
LIGHT = [name for name in LAYERED if not name.startswith(APART)]


@cache
def imports(name: str) -> frozenset[str]:
    """Dotted names of all a module imports, wherever in it: "emelia.errors", "torch.nn"."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}:{node.lineno}: a relative import; write it out"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from emelia import storage` imports a module, `from emelia.errors import X` a name.
            # The version is everybody's; it stands in the front door, which imports nothing.
            inner.discard("emelia.__version__")
            found |= {i if i in MODULES else str(node.module) for i in inner}
    return frozenset(found)


def ours(name: str) -> set[str]:
    """What a module imports from this package; the bare "emelia" is its front door."""
    return {i for i in imports(name) if i.split(".")[0] == "emelia"}


def layer(name: str) -> str:
    """The layer of a module; empty for the front door."""
    return name.partition(".")[2].split(".")[0]


def test_every_module_stands_in_a_layer() -> None:
    assert {layer(name) for name in LAYERED} <= set(LAYERS), "a new layer? give it a place"


def test_a_module_imports_only_from_layers_below() -> None:
    above = [
        f"{name} imports {imported}"
        for name in LAYERED
        for imported in ours(name)
        if layer(imported) not in LAYERS[: LAYERS.index(layer(name)) + 1]
    ]
    assert not above


@pytest.mark.parametrize("package", sorted({layer(n) for n in LAYERED if n.count(".") > 1}))
def test_modules_of_a_package_import_each_other_one_way(package: str) -> None:
    inside = [name for name in LAYERED if layer(name) == package]
    graph = {name: {i for i in ours(name) if layer(i) == package} for name in inside}
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


@pytest.mark.parametrize("package", ORDER)
def test_folders_of_a_package_import_only_from_those_before(package: str) -> None:
    order, home = ORDER[package].split(), f"emelia.{package}"
    inside = {name: child(name, home) for name in LAYERED if child(name, home)}
    assert set(inside.values()) == set(order), "a new folder or module? give it a place"
    for name, own in inside.items():
        for imported in {child(i, home) for i in ours(name)} - {""}:
            assert order.index(imported) <= order.index(own), f"{name} imports {home}.{imported}"


def test_a_command_imports_no_other() -> None:
    for name in (n for n in LAYERED if n.startswith("emelia.cli.commands.")):
        assert not {i for i in ours(name) if i.startswith("emelia.cli.commands")}, name


def child(name: str, package: str) -> str:
    """The part of a package that a module belongs to; empty for the package and all outside."""
    return name.removeprefix(f"{package}.").split(".")[0] if name.startswith(f"{package}.") else ""


def test_a_folder_is_seen_at_a_glance() -> None:
    modules = Counter(path.parent for path in MODULES.values() if path.stem != "__init__")
    assert not {folder: n for folder, n in modules.items() if n > 15}


# What stands in several folders under one name does the same for each of them.
MIRRORED = {
    *(
        "calibration",
        "card",
        "differences",
        "errors",
        "findings",
        "hub",
        "live",
        "page",
        "plots",
        "recipes",
    ),
    *("evaluation", "export", "finetuning", "settings", "stress", "tables", "timeline"),
    *("training", "tune"),
}


def test_a_module_s_name_tells_which_it_is() -> None:
    stems = Counter(path.stem for path in MODULES.values() if not path.stem.startswith("__"))
    assert {stem for stem, n in stems.items() if n > 1} <= MIRRORED


LEARNING = {"torch", "lightning_fabric", "safetensors", "transformers", "huggingface_hub"}


def test_only_the_learning_wing_knows_torch() -> None:
    others = [name for name in LAYERED if layer(name) != "learn"]
    assert not [n for n in others if LEARNING & {i.split(".")[0] for i in imports(n)}]


def test_the_wings_meet_only_in_the_model_file() -> None:
    using = {name: ours(name) for name in LAYERED if layer(name) == "use"}
    learning = ("learn", "results", "corpora")
    assert not {(n, i) for n, found in using.items() for i in found if layer(i) in learning}


ABOVE_SHOW = ("show", "api", "plot", "cli")


def test_reports_are_leaves() -> None:
    below = {name: ours(name) for name in LAYERED if layer(name) not in ABOVE_SHOW}
    assert not {(n, i) for n, found in below.items() for i in found if layer(i) == "show"}


def burden() -> dict[str, list[str]]:
    """The heavy packages that each light module is the first to load, in one fresh process."""
    order = sorted(LIGHT, key=lambda name: LAYERS.index(layer(name)))
    code = (
        "import importlib, json, sys\n"
        "names, heavy = json.loads(sys.argv[1])\n"
        "loaded, burden = set(), {}\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    new = {h for h in heavy if h in sys.modules} - loaded\n"
        "    burden[name], loaded = sorted(new), loaded | new\n"
        "print(json.dumps(burden))\n"
    )
    command = [sys.executable, "-c", code, json.dumps([["emelia", *order], HEAVY])]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def test_light_modules_load_nothing_heavy() -> None:
    told = burden()
    assert told.keys() == {"emelia", *LIGHT}
    assert not {name: heavy for name, heavy in told.items() if heavy}


def test_the_command_line_is_among_the_light_modules() -> None:
    assert "emelia.cli" in LIGHT


def test_the_promised_names_are_sorted_and_there() -> None:
    assert emelia.__all__ == sorted(emelia.__all__)
    assert set(emelia.__all__) <= set(dir(emelia))
    for name in emelia.__all__:
        assert getattr(emelia, name).__name__.removeprefix("emelia.") == name
    with pytest.raises(AttributeError, match="no attribute 'preprocess'"):
        _ = emelia.preprocess


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(d for extra in extras for d in extra)]
    declared = {re.split(r"[^\w-]", line)[0].lower() for line in wanted}
    for name in MODULES:
        for package in {i.split(".")[0] for i in imports(name)} - sys.stdlib_module_names:
            installed = INSTALLED_AS.get(package, package).replace("_", "-")
            assert installed in declared | {"emelia", "--future--"}, f"{name} imports {package}"
