"""Recipes x folds x seeds: every cell is trained once, and its result kept at once.

`results.jsonl` grows by a line a cell; cells already in it are not run again, and a cell
that was interrupted is resumed after its last epoch. Cells run side by side in processes of
one thread each, so that figures do not depend on how many there are.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emelia.errors import ConfigError, EmeliaError, StorageError
from emelia.learn.study.cell import Interrupted, forget_checkpoint, run_cell
from emelia.learn.study.tasks import Task
from emelia.learn.training.hardware import CPU, Hardware
from emelia.processes import block_ctrl_c, describe_end, exit_with_parent
from emelia.results import Cell, read_results
from emelia.storage import append_line, ensure_writable, lock

# name of a cell, epochs done, epochs at most, facts
Report = Callable[[str, int, int, str], None]
End = Callable[[str, str], None]
Ended = Iterator[tuple[Task, Cell | EmeliaError]]
# Trains tasks, each into its `cell_folder` of a folder, and gives them in the order they end.
Runner = Callable[[Sequence[Task], Path, Report, int, Hardware], Ended]


@dataclass
class Outcome:
    """Finished and failed cells of a study."""

    cells: list[Cell] = field(default_factory=list)  # those asked for that are finished
    failed: dict[str, str] = field(default_factory=dict)  # name of a cell -> reason
    reused: int = 0  # finished by an earlier start


def run_study(
    tasks: Sequence[Task],
    out: Path,
    report: Report,
    jobs: int = 1,
    hardware: Hardware = CPU,
    end: End = lambda name, facts: None,
    begin: Callable[[int], None] = lambda reused: None,
    runner: Runner | None = None,
) -> Outcome:
    """Run what is not finished yet.

    Args:
        out: folder for results.jsonl and a run folder a cell.
        report: called with the name of a cell, epochs done, epochs at most and facts in words.
        jobs: cells at the same time.
        end: called with the name of each cell that ended, and how.
        begin: called once, with how many cells an earlier start has finished.
        runner: trains; processes of this machine by default.

    Raises:
        ConfigError: the hardware is not there, or `out` has cells of another precision.
        StorageError: `out` cannot be written, or another process works there.
        KeyboardInterrupt: Ctrl-C; finished cells are kept.
    """
    hardware.fabric()  # raises here, not in every cell
    ensure_writable(out)
    with lock(out):
        results = out / "results.jsonl"
        before = {cell.key: cell for cell in read_results(results)}
        outcome = Outcome([before[t.key] for t in tasks if t.key in before])
        _check_precision(outcome.cells, out, hardware)
        outcome.reused = len(outcome.cells)
        begin(outcome.reused)
        train = runner or _run
        for task, result in train(_missing(tasks, before), out, report, jobs, hardware):
            if isinstance(result, Cell):
                append_line(results, result.to_json())
                forget_checkpoint(cell_folder(out, task))
                outcome.cells.append(result)
                end(task.name, f"epoch {result.best_epoch} kept")
            else:
                outcome.failed[task.name] = str(result)
                end(task.name, "failed")
    return outcome


def _check_precision(cells: Sequence[Cell], out: Path, hardware: Hardware) -> None:
    """Refuse to set trainings of two precisions side by side, as if recipes made the difference."""
    if other := {cell.precision for cell in cells} - {hardware.precision}:
        raise ConfigError(
            f"{out}: has trainings in {min(other)}, and these would be in {hardware.precision}. "
            f"Add --precision {min(other)}, or choose another --out."
        )


def _missing(tasks: Sequence[Task], before: dict[str, Cell]) -> list[Task]:
    """Tasks without a result, each once."""
    return list({task.key: task for task in tasks if task.key not in before}.values())


def cell_folder(out: Path, task: Task) -> Path:
    """Where a cell's run is kept."""
    return out / "cells" / f"{task.name.replace(' ', '-').replace('/', '-')}-{task.key}"


def _run(tasks: Sequence[Task], out: Path, report: Report, jobs: int, hardware: Hardware) -> Ended:
    if min(jobs, len(tasks)) > 1:
        yield from _in_processes(tasks, out, report, jobs, hardware)
        return
    for task in tasks:
        try:
            yield (
                task,
                run_cell(task, cell_folder(out, task), _for_cell(report, task.name), hardware),
            )
        except StorageError:  # every other cell would meet it too
            raise
        except EmeliaError as error:
            yield task, error
        except Interrupted:
            raise KeyboardInterrupt from None


def _for_cell(report: Report, name: str) -> Callable[[int, int, str], None]:
    return lambda done, total, facts: report(name, done, total, facts)


def _in_processes(
    tasks: Sequence[Task], out: Path, report: Report, jobs: int, hardware: Hardware
) -> Ended:
    context = multiprocessing.get_context("spawn")  # fork and torch's threads do not agree
    news: Any = context.Queue()
    with ProcessPoolExecutor(jobs, context, _begin, (news,)) as pool:
        with block_ctrl_c():  # which workers inherit: the parent decides what it means
            waiting = {pool.submit(_work, task, out, hardware): task for task in tasks}
        workers = list((pool._processes or {}).values())
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                _pass_on(news, report)
                for future in done:
                    yield waiting.pop(future), _result(future)
        except BrokenProcessPool:
            pool.shutdown()  # only then it is known how each has ended
            how, more = describe_end(workers)
            raise EmeliaError(
                f"a training process {how}. Finished cells are kept: run the same command "
                f"again{more}."
            ) from None
        except BaseException:  # Ctrl-C or a full disk: what runs now is resumed at the next start
            for process in workers:
                process.terminate()
            raise


def _result(future: Future[Cell]) -> Cell | EmeliaError:
    try:
        return future.result()
    except StorageError:
        raise
    except EmeliaError as error:
        return error


def _pass_on(news: Any, report: Report) -> None:
    while True:
        try:
            report(*news.get_nowait())
        except queue.Empty:
            return


_news: Any = None  # in a worker process: where its progress goes


def _begin(news: Any) -> None:
    global _news
    _news = news
    exit_with_parent()


def _work(task: Task, out: Path, hardware: Hardware) -> Cell:
    def report(done: int, total: int, facts: str) -> None:
        _news.put((task.name, done, total, facts))

    return run_cell(task, cell_folder(out, task), report, hardware)
