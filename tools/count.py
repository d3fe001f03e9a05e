"""How large the code is and how it is written: `make count`, or `python tools/count.py [REVISION]`.

With a revision, such as 2a8e22a, that one is counted beside the code as it is. Lines are all lines
of Python files; a function's are those from its name to its end, docstring included.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef
ARRAYS = ("NDArray", "Tensor", "Wave", "Array")  # annotations of what has a shape


def main(revisions: list[str]) -> None:
    """Print one column for each revision and one for the code as it is."""
    columns = {}
    for revision in revisions:
        with tempfile.TemporaryDirectory() as folder:
            packed = subprocess.run(
                ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True
            )
            with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
                archive.extractall(folder, filter="data")
            columns[revision] = figures(Path(folder))
    columns["now"] = figures(ROOT)
    width = max(map(len, columns["now"]))
    print(" " * width, *(f"{name:>10}" for name in columns))
    for name in columns["now"]:
        print(f"{name:{width}}", *(f"{column[name]:>10}" for column in columns.values()))


def figures(root: Path) -> dict[str, str]:
    """All figures of a source tree by name."""
    source, tests = (sorted((root / part).rglob("*.py")) for part in ("src", "tests"))
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in source]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, Function)]
    sizes = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    modules = [path for path in source if path.stem not in ("__init__", "__main__")]
    folders = Counter(path.parent for path in modules)
    stems = Counter(path.stem for path in modules)
    public = [node for tree in trees for node in _public(tree)]
    lines = sum(map(_lines, source))
    return {
        "modules of src": f"{len(source)}",
        "lines of src": f"{lines}",
        "lines of tests": f"{sum(map(_lines, tests))}",
        "modules in the largest folder": f"{max(folders.values())}",
        "module names that stand in several folders": f"{sum(n > 1 for n in stems.values())}",
        "lines of the longest module": f"{max(map(_lines, source))}",
        "lines of a function, median": f"{median(sizes):g}",
        "lines of a function, 90th percentile": f"{quantiles(sizes, n=10)[-1]:g}",
        "comments in 100 lines of src": f"{100 * sum(map(_comments, source)) / lines:.1f}",
        "public functions": f"{len(public)}",
        "  without docstring": f"{sum(not ast.get_docstring(node) for node in public)}",
        "  with arrays, no shape told": f"{sum(map(_lacks_shape, public))}",
        "  that raise, no error told": f"{sum(map(_lacks_errors, public))}",
    }


def _public(tree: ast.Module) -> Iterator[Function]:
    """Functions of a module and methods of its classes whose names do not begin with `_`."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        if isinstance(node, ast.ClassDef) and node.name.startswith("_"):
            continue
        yield from (n for n in inside if isinstance(n, Function) and not n.name.startswith("_"))


def _lacks_shape(node: Function) -> bool:
    hints = [arg.annotation for arg in node.args.args] + [node.returns]
    told = [ast.unparse(hint) for hint in hints if hint]
    arrays = any(name in hint for hint in told for name in ARRAYS)
    return arrays and "(" not in (ast.get_docstring(node) or "")


def _lacks_errors(node: Function) -> bool:
    raised = [n for n in ast.walk(node) if isinstance(n, ast.Raise) and isinstance(n.exc, ast.Call)]
    told = ast.get_docstring(node) or ""
    return bool(raised) and "Raises" not in told and "rror" not in told


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _comments(path: Path) -> int:
    with path.open("rb") as file:
        return sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(file.readline))


if __name__ == "__main__":
    main(sys.argv[1:])
