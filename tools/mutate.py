"""Which deliberate faults do the tests notice? `python tools/mutate.py`, or `make mutate`.

    python tools/mutate.py [MODULE ...] [--each 20] [--minutes 60] [--jobs 2] [--into FILE]

Of each module of `mutated.toml` so many mutants are drawn. Each stands in a copy of the package,
which comes before the real one on the path, also for processes that tests start; the tests run in a
process forked from one that has the large libraries loaded. Those that reach the changed line come
first. What is known already is not run again: the journal is build/mutants/results.jsonl, and a
survivor is tried anew once its tests have changed. A mutant is killed where a test fails, or where
the tests take far longer than they do without it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
import tomllib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from queue import Queue

from mutants import Mutant, mutants
from mutation_runs import Baseline, baseline, preload, run

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "emelia"
WORK = ROOT / "build" / "mutants"
JOURNAL = WORK / "results.jsonl"
TABLE = tomllib.loads(Path(__file__).with_name("mutated.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Module:
    """A module that is changed, and the tests that are to notice."""

    name: str
    tests: tuple[str, ...]
    all_tests: bool  # not only those that reach the changed line

    @property
    def path(self) -> Path:
        return PACKAGE / f"{self.name}.py"

    @cached_property
    def tests_digest(self) -> str:
        files = [f for t in self.tests for f in sorted((ROOT / t).rglob("*.py")) or [ROOT / t]]
        return _digest(*(file.read_bytes() for file in files))

    @cached_property
    def all(self) -> list[Mutant]:
        """All of its mutants, in the order of lines."""
        found = {m.name: m for m in mutants(self.path.read_text(encoding="utf-8"))}
        return list(found.values())

    @cached_property
    def digest(self) -> str:
        return _digest(self.name.encode(), self.path.read_bytes())

    def drawn(self, each: int, tried: Collection[str]) -> list[Mutant]:
        """Its mutants with keys that were tried, and others drawn at random up to so many."""
        found = list(self.all)
        random.Random(self.name).shuffle(found)
        found.sort(key=lambda one: self.key(one) not in tried)
        return found[: max(each, sum(self.key(one) in tried for one in found))]

    def key(self, mutant: Mutant) -> str:
        return _digest(self.digest.encode(), mutant.name.encode())


def main() -> None:
    """Run what is not known yet, and print the table."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    options.add_argument("modules", nargs="*", help="only those whose name has this in it")
    options.add_argument("--each", type=int, default=20, help="mutants of each module")
    options.add_argument("--minutes", type=float, default=1e9, help="begin no more after these")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    chosen = options.parse_args()
    wanted = [
        m for m in _modules() if not chosen.modules or any(w in m.name for w in chosen.modules)
    ]
    known = _known()
    drawn = [(m, one) for m in wanted for one in m.drawn(chosen.each, known)]
    todo = [(module, one) for module, one in drawn if not _is_known(known, module, one)]
    if todo:
        os.chdir(ROOT)
        preload()
        _run_all(todo, chosen.jobs, time.monotonic() + 60 * chosen.minutes)
    text = _table(wanted, _known())
    print(text)
    if chosen.into:
        from emelia.show.tables import write_block

        write_block(chosen.into, "mutants", text)


def _modules() -> Iterator[Module]:
    for name, tests in TABLE["tests"].items():
        yield Module(name.lstrip("+"), tuple(f"tests/{t}" for t in tests), name.startswith("+"))


def _run_all(todo: list[tuple[Module, Mutant]], jobs: int, end: float) -> None:
    """Each job takes one module after another, in a copy of the package of its own."""
    slots: Queue[Path] = Queue()
    for number in range(jobs):
        slots.put(_copy_of_package(WORK / f"slot{number}"))
    own = {module: [m for owner, m in todo if owner == module] for module, _ in todo}

    def work(module: Module) -> None:
        slot = slots.get()
        try:
            _try_module(slot, module, own[module], end)
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, own))


def _try_module(slot: Path, module: Module, todo: list[Mutant], end: float) -> None:
    if time.monotonic() > end:
        return
    found = baseline(slot, module.path.relative_to(PACKAGE), module.tests)
    if found.failed:
        print(f"{module.name}: {found.failed[0]} fails without a mutant", file=sys.stderr)
    print(f"{module.name}: {len(todo)} mutants, {len(found.tests)} tests", file=sys.stderr)
    for mutant in todo:
        if time.monotonic() < end:
            _try(slot, module, found, mutant)


def _try(slot: Path, module: Module, found: Baseline, mutant: Mutant) -> None:
    """Run the tests with one mutant in place, and note what became of it."""
    place = slot / "emelia" / module.path.relative_to(PACKAGE)
    place.write_text(mutant.written(), encoding="utf-8")
    tests = found.reaching(mutant.lines if mutant.inside else None, module.all_tests)
    fate, seconds = run(slot, tests, found.limit(tests)) if tests else ("survived", 0.0)
    shutil.copyfile(module.path, place)
    line = {
        "module": module.name, "mutant": mutant.name, "fate": fate, "tests": len(tests),
        "seconds": round(seconds, 1), "key": module.key(mutant), "by": module.tests_digest,
    }  # fmt: skip
    with JOURNAL.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"  {fate:9} {seconds:5.1f} s  {mutant.name}", file=sys.stderr)


def _copy_of_package(slot: Path) -> Path:
    """A copy of the package, but for its model files, which are linked."""
    shutil.rmtree(slot, ignore_errors=True)
    large = [path for path in PACKAGE.rglob("*") if path.suffix == ".onnx"]
    shutil.copytree(
        PACKAGE, slot / "emelia", ignore=shutil.ignore_patterns("__pycache__", "*.onnx")
    )
    for path in large:
        (slot / "emelia" / path.relative_to(PACKAGE)).symlink_to(path)
    return slot


def _known() -> dict[str, dict[str, object]]:
    WORK.mkdir(parents=True, exist_ok=True)
    lines = JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else []
    return {line["key"]: line for line in map(json.loads, lines)}


def _is_known(known: dict[str, dict[str, object]], module: Module, mutant: Mutant) -> bool:
    line = known.get(module.key(mutant))
    return bool(line) and (line["fate"] != "survived" or line["by"] == module.tests_digest)


def _table(wanted: list[Module], known: dict[str, dict[str, object]]) -> str:
    """Markdown: killed by module, and every survivor with its reason where there is one."""
    rows, left, total, killed = [], [], 0, 0
    for module in wanted:
        lines = [known[k] for one in module.all if (k := module.key(one)) in known]
        dead = [line for line in lines if line["fate"] != "survived"]
        total, killed = total + len(lines), killed + len(dead)
        if lines:
            rows.append(f"| `{module.name}` | {len(lines)} | {len(dead)} |")
        left += [(module.name, str(line["mutant"])) for line in lines if line["fate"] == "survived"]
    why = TABLE["survivors"]
    explained = sum(f"{name}:{what}" in why for name, what in left)
    share = f"{100 * killed / total:.1f} %" if total else "nothing"
    caught = f"{100 * (killed + explained) / total:.1f} %" if total else "nothing"
    head = (
        f"{killed} of {total} mutants are killed, {share}; with the {explained} survivors that are "
        f"explained {caught}."
    )
    table = ["| module | mutants | killed |", "|---|---|---|", *rows]
    reasons = [
        f"- `{n}`, line {_code(w)}: {why.get(f'{n}:{w}', '**not noticed**')}" for n, w in left
    ]
    return "\n".join([head, "", *table, "", *reasons]).rstrip()


def _code(what: str) -> str:
    line, _, change = what.partition(": ")
    return f"{line}, `{change.replace(' -> ', '` becomes `')}`"


def _digest(*parts: bytes) -> str:
    return sha256(b"\0".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    main()
