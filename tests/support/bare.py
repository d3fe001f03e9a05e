"""Environments of their own for tests: some of emelia's extras, and nowhere to write if need be.

Nothing is installed: what is here already is linked, so that no network is needed.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def environment(folder: Path, *extras: str) -> Path:
    """Make an environment with emelia and these extras of it alone; return its interpreter."""
    venv.EnvBuilder(symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "emelia.pth").write_text(f"{ROOT / 'src'}\n")
    for found in _needed([*PROJECT["dependencies"], *(d for e in extras for d in EXTRAS[e])]):
        for part in _parts(found):
            _link(Path(str(found.locate_file(part))), packages / part)
    return folder / "bin" / "python"


def _needed(lines: Iterable[str]) -> Iterator[Distribution]:
    """What is installed of some requirements, of all that these require, and so on."""
    wanted, seen = [(Requirement(line), "") for line in lines], set()
    while wanted:
        line, extra = wanted.pop()
        if line.marker and not line.marker.evaluate({"extra": extra}):
            continue
        if line.name == "emelia":
            wanted += [(Requirement(d), "") for inner in line.extras for d in EXTRAS[inner]]
        for inner in ("", *line.extras):
            if line.name == "emelia" or (line.name, inner) in seen:
                continue
            seen.add((line.name, inner))
            try:
                found = distribution(line.name)
            except PackageNotFoundError:
                pytest.skip(f"{line.name} is not installed")
            wanted += [(Requirement(d), inner) for d in found.requires or ()]
            if not inner:
                yield found


def _parts(found: Distribution) -> set[Path]:
    """Folders and files a distribution is made of; several may share a folder, as `google`."""
    files = [Path(str(file)) for file in found.files or () if ".." not in file.parts]
    own = {file.parts[0] for file in files if file.parts[1:] == ("__init__.py",)}
    own |= {file.parts[0] for file in files if "." in file.parts[0]}
    return {Path(*file.parts[: 1 if file.parts[0] in own else 2]) for file in files}


def _link(there: Path, here: Path) -> None:
    if there.exists() and not here.exists() and "__pycache__" not in here.parts:
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(there)


def own(python: Path, name: str) -> Path:
    """Give an environment a package as a folder of its own, of links that may be taken away."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    package = (packages / name / "__init__.py").resolve().parent
    (packages / name).unlink()
    for file in package.rglob("*"):
        if file.is_file():
            _link(file, packages / name / file.relative_to(package))
    return packages / name


def cannot_keep(python: Path) -> None:
    """Leave librosa no place for what numba compiles, whoever asks: `__pycache__` is a file."""
    package = own(python, "librosa")
    for folder in (package, *package.rglob("*")):
        if folder.is_dir():
            (folder / "__pycache__").write_bytes(b"")


def homeless() -> dict[str, str]:
    """The settings of somebody whose home does not exist and cannot be made, root's neither."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not re.match("XDG_|EMELIA_|MPL|NUMBA|HF_|PYTHON", name)
    }
    return kept | {"HOME": "/proc/nonexistent", "OMP_NUM_THREADS": "1"}


def emelia(
    python: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line of an environment."""
    return subprocess.run(
        [python, "-m", "emelia", *arguments], env=env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
