"""The files around the code: no paths of one machine, nothing missing from the package."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from shutil import which

import pytest

import emelia
from emelia.config import load_recipe
from emelia.learn.export.calibrate import TARGET_ACCURACY
from emelia.use.bundled import shipped
from emelia.use.model import read_card

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "emelia"
RECIPES = sorted((PACKAGE / "learn" / "recipes").glob("*.toml"))

# Places on one machine, and hosts packages come from: both are the business of whoever installs.
MACHINE = re.compile(r"(?<![\w.~*$}])/(?:home|root|work|Users|opt|mnt|tmp)/\w")
HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.org|npmjs\.\w")


@cache
def tracked() -> dict[Path, str]:
    """The text files of the project: those git knows, and new ones it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git does not know this folder ({error})")
    texts = {}
    for path in (ROOT / name for name in run.stdout.decode().split("\0") if name):
        data = path.read_bytes() if path.is_file() else b""
        if b"\0" not in data:
            texts[path] = data.decode()
    return texts


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path, text in tracked().items()
        for match in pattern.finditer(text)
    ]


def test_no_file_names_a_place_on_one_machine() -> None:
    assert found(MACHINE) == []


def test_no_file_names_a_host_of_packages() -> None:
    assert found(HOSTS) == []


def test_no_file_is_large_or_ends_in_half_a_line() -> None:
    for path, text in tracked().items():
        assert len(text) < 2_000_000, f"{path} is large"
        assert not text or text.endswith("\n"), f"{path} does not end with a line break"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_the_package_is_understood(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.title, "the title is what tables and help show"


def test_no_two_recipes_are_the_same_experiment() -> None:
    recipes = [load_recipe(path) for path in RECIPES]
    assert len(recipes) >= 9
    for recipe in recipes:
        settings = [
            other.name
            for other in recipes
            if (other.audio, other.features, other.augment, other.model, other.train)
            == (recipe.audio, recipe.features, recipe.augment, recipe.model, recipe.train)
        ]
        assert settings == [recipe.name]


def test_every_direct_dependency_has_a_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(d for extra in extras for d in extra)]
    names = {re.split(r"[^\w-]", line)[0].lower() for line in wanted} - {"emelia"}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins), "one plain version a line"
    assert names <= {pin.split("==")[0].lower() for pin in pins}


def test_the_version_is_in_the_changelog() -> None:
    assert f"## [{emelia.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_wheel_carries_all_that_is_not_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    needed = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert {str(p.relative_to(ROOT / "src")) for p in needed} <= inside
    assert "emelia/py.typed" in inside


@pytest.mark.parametrize(("name", "file"), shipped().items())
def test_make_models_makes_what_ships(name: str, file: Path) -> None:
    card, lines = read_card(file), what_make_models_runs()
    target = f"src/emelia/use/models/{name}.onnx"
    made = [line for line in lines if line[1] == "export" and target in line]
    (export,) = (line for line in made if "--int8" not in line)
    trained = [line for line in lines if line[1] == "train"]
    (train,) = (line for line in trained if line[line.index("--out") + 1] == export[2])
    recipe = "shipped-default" if name == "free" else f"shipped-{name}"
    assert recipe in train, "what was trained by its recipe is exported"
    told = dict(pairwise(export))
    share = float(told.get("--accuracy", TARGET_ACCURACY))
    assert f"at which {100 * share:.0f} % of the accepted" in card.threshold_rule
    usual = f"{len(card.labels)} emotions in Greek, English, German and Polish speech"
    assert told.get("--title", usual) == card.title
    assert "--half" in export
    assert card.variant == ("int8" if len(made) > 1 else "float16")
    split, _, added = str(card.split["name"]).partition("+")
    assert train[train.index("--split") + 1].replace("docs/splits/", "") == split
    heard = {corpus["name"] for corpus in card.corpora}
    assert all(re.search(rf"\b{corpus}\b", " ".join(train)) for corpus in heard)
    assert ("--with" in train) == bool(added)


@cache
def what_make_models_runs() -> list[list[str]]:
    """The commands of emelia, word by word."""
    if not which("make"):
        pytest.skip("make is not here")
    found = subprocess.run(
        ["make", "-nB", "models"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = found.stdout.replace("\\\n", "").splitlines()
    return [shlex.split(line) for line in lines if line.startswith(".venv/bin/emelia ")]


def test_what_make_bench_runs_needs_nothing_to_be_told() -> None:
    line = next(x for x in (ROOT / "Makefile").read_text().splitlines() if x.startswith("SPEED :="))
    scripts = [ROOT / name for name in line.split()[2:]]
    assert len(scripts) == 3
    for script in scripts:
        positional = re.findall(r'add_argument\(\s*"[a-z].*', script.read_text())
        assert all("nargs" in option for option in positional), script
