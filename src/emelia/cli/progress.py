"""Progress of many trainings at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emelia import console

if TYPE_CHECKING:
    from emelia.learn.study.tracking import Tracker


class Bars:
    """Progress of a study: a bar for each training under way."""

    def __init__(
        self,
        progress: console.Progress,
        cells: int,
        tracker: Tracker | None = None,
        expected: float = 0.0,
    ) -> None:
        self.progress, self.tracker, self.cells = progress, tracker, cells
        self.expected = expected  # seconds of all, as measured before
        self.before = 0  # of them, finished by an earlier start
        self.running: set[str] = set()
        self.ended: set[str] = set()

    def begin(self, reused: int) -> None:
        self.before = reused
        self.progress.start("trainings", self.cells, reused, self.expected)

    def tell(self, name: str, done: int, total: int, facts: str) -> None:
        if name in self.ended:  # news that another process sent late
            return
        if name not in self.running:
            self.running.add(name)
            self.progress.start(name, total, done)
        self.progress.step(name, done, facts)
        if self.tracker:
            self.tracker.tell(name, done, total, facts)

    def end(self, name: str, facts: str) -> None:
        if name in self.running:
            self.running.remove(name)
            self.progress.finish(name, facts)
        self.ended.add(name)
        self.progress.step("trainings", self.before + len(self.ended))
        if self.tracker:
            self.tracker.end(name, facts)
