"""Runs the stress test: condition by condition, on several cores, keeping what is finished."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from emelia.config import SAMPLE_RATE
from emelia.corpora.records import Utterance
from emelia.errors import AudioError, MissingExtraError, StorageError
from emelia.processes import one_openmp_thread, work
from emelia.results.evaluation import ClipAnswer, Evaluation
from emelia.results.stress import Stressed, StressResults
from emelia.robustness import cases as of_clips
from emelia.robustness.cases import Case
from emelia.robustness.conditions import conditions as all_conditions
from emelia.robustness.conditions.condition import Condition
from emelia.robustness.listeners import Asked, Told, listener
from emelia.storage import append_line, lock, read_lines
from emelia.text import from_json

JOURNAL = "conditions.jsonl"
PLAIN = "plain"  # the key of the answers to clips as they are
_BATCH = 25  # clips that a process takes at a time
_MOST_JOINED = 60  # recordings of joined clips: a few would say nothing
_MEASURED = 6  # clips from which the time is estimated
_AS_THEY_ARE = Condition(PLAIN, "as they are", lambda wave, around: wave)

OnProgress = Callable[[int, int, str], None]  # conditions done, in all, the next one's name
Row = list[Any]  # answer, probabilities, unsure; or the reason why there is none


@dataclass(frozen=True)
class Plan:
    """What is asked about what.

    Attributes:
        clips: of the test.
        joined: cases of clips to be joined.
        seed: of the noises.
    """

    asked: Asked
    clips: tuple[Case, ...]
    joined: tuple[Case, ...]
    conditions: tuple[Condition, ...]
    seed: int

    @property
    def plain(self) -> tuple[Case, ...]:
        """All clips that are asked about as they are: also those in joined ones."""
        known = {case.id for case in self.clips}
        more = {c.id: c for case in self.joined for c in case.clips if c.id not in known}
        return (*self.clips, *(Case((clip,), (), 0) for clip in more.values()))

    def of(self, condition: Condition) -> tuple[Case, ...]:
        """The cases of a condition."""
        if condition.category == PLAIN:
            return self.plain
        return self.joined if condition.joined else self.clips

    @property
    def mark(self) -> str:
        """Sixteen characters that tell this model and these clips from others."""
        told = [self.asked.digest or self.asked.place, self.asked.labels, self.seed]
        told += [[c.id, c.digest] for case in (*self.clips, *self.joined) for c in case.clips]
        return sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Batch:
    """Work for one process: some cases under one condition."""

    asked: Asked
    key: str
    cases: tuple[Case, ...]
    seed: int


def plan(
    asked: Asked, clips: Sequence[Utterance], of: Sequence[Utterance], chosen: Sequence[str],
    seed: int,
) -> Plan:  # fmt: skip
    """Plan a test of clips, with voices and further clips of the corpus they are drawn from.

    Raises:
        ConfigError: there is no such category or condition.
    """
    conditions = tuple(all_conditions(chosen))
    long = any(one.joined for one in conditions)
    joined = of_clips.in_groups(of, min(_MOST_JOINED, 2 * len(clips)), seed) if long else []
    return Plan(asked, tuple(of_clips.single(clips, of, seed)), tuple(joined), conditions, seed)


def estimate(planned: Plan, jobs: int) -> float:
    """Seconds that a plan will take, from answers to a few of its clips."""
    model = listener(planned.asked)
    some = planned.clips[:: max(1, len(planned.clips) // _MEASURED)]
    waves = []
    for case in some:
        try:
            waves.append(of_clips.read(case.clips[0]))
        except AudioError:
            continue
    with one_openmp_thread():
        list(model.answers(waves[:1]))  # the first answer takes longer
        begun = time.perf_counter()
        list(model.answers(waves))
    heard = sum(map(len, waves)) / SAMPLE_RATE
    pace = 1.3 * (time.perf_counter() - begun) / max(heard, 1e-9)  # the changes take time, too
    lengths = dict.fromkeys((case.id for case in planned.plain), heard / max(1, len(waves)))
    every = (_AS_THEY_ARE, *planned.conditions)
    return sum(pace * of_clips.seconds(planned.of(c), lengths, c) for c in every) / jobs


def run(
    planned: Plan, jobs: int = 1, folder: Path | None = None, on_progress: OnProgress | None = None
) -> dict[str, list[Row]]:
    """The rows of every condition by its key, in the order of its cases.

    What a journal in the folder has is not asked again.

    Raises:
        StorageError: the journal is of another model or other clips, or cannot be written.
        EmeliaError: a process was ended.
    """
    with lock(folder) if folder else nullcontext():
        done = _kept(folder / JOURNAL, planned.mark) if folder else {}
        every = [_AS_THEY_ARE, *planned.conditions]
        todo = [one for one in every if one.key not in done]
        batches = [batch for one in todo for batch in _batches(planned, one)]
        made = work(_ask, batches, jobs, few=1, at_once=1)
        for place, condition in enumerate(todo):
            if on_progress:
                on_progress(len(every) - len(todo) + place, len(every), condition.name)
            rows = [row for _ in _batches(planned, condition) for row in next(made)]
            done[condition.key] = rows
            if folder:
                line = json.dumps({"condition": condition.key, "answers": rows})
                append_line(folder / JOURNAL, line)
        if on_progress:
            on_progress(len(every), len(every), "")
    return done


def _batches(planned: Plan, condition: Condition) -> list[Batch]:
    cases = planned.of(condition)
    size = max(1, _BATCH // 10) if condition.joined else _BATCH
    return [
        Batch(planned.asked, condition.key, cases[start : start + size], planned.seed)
        for start in range(0, len(cases), size)
    ]


def _ask(batch: Batch) -> list[Row]:
    """The rows of a batch; a reason in place of a row where a sound could not be made."""
    known = {one.key: one for one in (_AS_THEY_ARE, *all_conditions())}
    condition = known[batch.key]
    reasons: dict[int, str] = {}

    def sounds() -> Iterator[Any]:
        for place, case in enumerate(batch.cases):
            try:
                yield of_clips.changed(case, condition, batch.seed)
            except (AudioError, MissingExtraError) as error:
                reasons[place] = str(error)

    with one_openmp_thread():
        told = iter([_row(one) for one in listener(batch.asked).answers(sounds())])
    return [
        [reasons[place]] if place in reasons else next(told) for place in range(len(batch.cases))
    ]


def _row(told: Told) -> Row:
    return [told.answer, [float(f"{value:.5g}") for value in told.probabilities], told.unsure]


def _kept(path: Path, mark: str) -> dict[str, list[Row]]:
    """What a journal has; a new one is begun with the mark of the plan."""
    lines = read_lines(path)
    if not lines:
        append_line(path, json.dumps({"mark": mark}))
        return {}
    try:
        head, *rest = map(from_json, lines)
        if head["mark"] != mark:
            raise StorageError(
                f"{path}: holds the answers of another model, or to other clips. Choose another "
                "folder (--out), or delete it to start anew."
            )
        return {one["condition"]: one["answers"] for one in rest}
    except (ValueError, KeyError, TypeError):
        raise StorageError(f"{path}: damaged. Delete it to start anew.") from None


def results(
    planned: Plan, rows: dict[str, list[Row]], empty: Evaluation, lengths: dict[str, float],
    languages: dict[str, str],
) -> StressResults:  # fmt: skip
    """The figures of a finished run.

    Args:
        planned: what was asked.
        rows: as `run` gives them.
        empty: an evaluation with everything but the answers.
        lengths: seconds of each clip, by id.
        languages: of each clip, by id, where they are known.
    """
    names = empty.classes
    plain = _answers(planned.plain, rows[_AS_THEY_ARE.key], names)
    own = {case.id for case in planned.clips}
    conditions, failed = [], []
    for condition in planned.conditions:
        cases = planned.of(condition)
        found = _answers(cases, rows[condition.key], names)
        if missing := [row[0] for row in rows[condition.key] if len(row) == 1]:
            failed.append(f"{condition.name}: {len(missing)} left out ({missing[0]})")
        if found:
            conditions.append(_stressed(condition, cases, found, plain, empty))
    groups = {
        id_: {"length": of_clips.length_of(lengths[id_]) if id_ in lengths else "",
              "language": languages.get(id_, "")}
        for id_ in own
    }  # fmt: skip
    clean = tuple(one for id_, one in plain.items() if id_ in own)
    return StressResults(replace(empty, answers=clean), tuple(conditions), groups, tuple(failed))


def _stressed(
    condition: Condition, cases: Sequence[Case], found: dict[str, ClipAnswer],
    plain: dict[str, ClipAnswer], empty: Evaluation,
) -> Stressed:  # fmt: skip
    kept = [case for case in cases if case.id in found]
    kept = [case for case in kept if any(clip.id in plain for clip in case.clips)]
    of, told = [], list[ClipAnswer]()
    for case in kept:
        own = [plain[clip.id] for clip in case.clips if clip.id in plain]
        of.append(tuple(range(len(told), len(told) + len(own))))
        told += own
    answers = tuple(found[case.id] for case in kept)
    return Stressed(
        condition.category, condition.name, condition.wanted, replace(empty, answers=answers),
        replace(empty, answers=tuple(told)), tuple(of),
    )  # fmt: skip


def _answers(
    cases: Sequence[Case], rows: Sequence[Row], classes: Sequence[str]
) -> dict[str, ClipAnswer]:
    found = {}
    for case, row in zip(cases, rows, strict=True):
        if len(row) > 1:
            clip, (answer, chances, unsure) = case.clips[0], row
            found[clip.id] = ClipAnswer(
                clip.id, classes.index(clip.emotion), answer, tuple(chances), unsure,
                clip.speaker, clip.gender,
            )  # fmt: skip
    return found
