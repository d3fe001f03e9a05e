"""Scores a collection of recordings into one table, on several processes; resumable.

    from emelia.use.scoring.run import score

    if __name__ == "__main__":  # the processes it starts import the script that starts them
        score("talks/", "scores.parquet", jobs=8)

Memory: about 0.5 KB for the name of each file, and the recordings each process works on.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from emelia.audio.channels import MIX, Channel, check_channel
from emelia.errors import ConfigError, StorageError
from emelia.storage import ensure_writable
from emelia.text import amount, duration
from emelia.use.adaptation.source import SourceProfile
from emelia.use.answer import COLUMNS
from emelia.use.bundled import find_model
from emelia.use.inputs import Recording, columns_of, key_of, path_of, recordings
from emelia.use.recognizer import load
from emelia.use.scoring import parts, score_files
from emelia.use.scoring.by_source import ADAPTED, Adapting, source_of
from emelia.use.scoring.journal import Journal, Mark, mark_of
from emelia.use.scoring.pool import Pool
from emelia.use.scoring.score_rows import failures, journalled, rows_of
from emelia.use.scoring.segment_files import SegmentFiles
from emelia.use.scoring.worker import Outcome, WorkerOptions
from emelia.use.timeline.turns import turns_of

_CHUNK_FILES = 16  # of like length, answered at once by one process
_CHUNK_EXCERPTS = 256  # of one recording
_CHUNK_BYTES = 32_000_000  # or so many, of all its files
_SECONDS = COLUMNS.index("seconds") - 1  # its place in a row, which has no path


class Answering(Protocol):
    """What answers chunks of recordings: processes of this machine, or of several."""

    def answers(self, chunks: Iterable[list[Recording]]) -> Iterator[list[Outcome]]: ...


# Of the options of each worker, and how many there are to be.
MakePool = Callable[[WorkerOptions, int], AbstractContextManager[Answering]]


@dataclass
class Tally:
    """Counts of a scoring while it runs."""

    total: int  # recordings asked for
    kept: int  # of them scored by an earlier run
    began: float  # s, on the clock of time.perf_counter
    scored: int = 0  # by this run
    failed: int = 0
    heard: float = 0.0  # s of sound, by this run
    warnings: list[str] = field(default_factory=list)  # of recordings scored by this run
    out: Path = Path()  # the table, once it is written
    adapted: str = ""  # what adapting did, where it was asked for

    @property
    def done(self) -> int:
        return self.kept + self.scored + self.failed

    @property
    def seconds(self) -> float:
        return max(time.perf_counter() - self.began, 1e-9)

    def to_frame(self) -> Any:
        """The table of scores as a pandas DataFrame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return score_files.read_frame(self.out)

    def facts(self) -> str:
        """The speed in words; nothing where an earlier run had done it all."""
        if not self.scored + self.failed:
            return "nothing new" if self.kept else ""
        speed = f"{amount((self.scored + self.failed) / self.seconds)} clips/s"
        if not self.heard:
            return f"{speed}, nothing heard"
        times = amount(self.heard / self.seconds, 0)
        return f"{speed}, {duration(max(1, self.heard))} of audio, {times} x real time"


def score(
    where: str | Path,
    out: str | Path,
    *,
    model: str | Path = "default",
    emotions: Sequence[str] | None = None,
    threshold: float | None = None,
    channel: Channel = "mix",
    source: str | Path | None = None,
    adapt: bool = False,
    source_by: str = "",
    jobs: int = 1,
    timelines: str | Path | None = None,
    speakers: str | Path | None = None,
    strict: bool = False,
    on_progress: Callable[[Tally], None] | None = None,
    pool: MakePool = Pool,
) -> Tally:
    """Recognise the emotion of every recording and write a table with a row each.

    Rows are in the order of `recordings`. What is finished is kept in OUT.journal: after a
    kill, Ctrl-C or a full disk the same call goes on, and scores again what has changed
    since. Recordings that cannot be scored are listed with the reason in OUT without its
    suffix + .failures.csv. Those of more than five minutes, up to a day, are followed over time;
    their row is the mean over their speech.

    Args:
        where: see `inputs.recordings`.
        out: a .csv or .parquet file; see `score_files`. A name without a suffix is a folder of
            Parquet parts; see `parts`.
        model, emotions, threshold: see `load`.
        channel: see `Recognizer.predict`; with `each` there is a row a channel.
        source: the file of a source that answers are adapted to; see `load`.
        adapt: adapt answers to the collection, from `source` on where it is given.
        source_by: with `adapt`, what tells the sources in it apart: `folder`, or a column of the
            table `where`; by default all recordings are of one source.
        jobs: processes of one thread each.
        timelines: a folder for a CSV a recording, with a row for each segment of one emotion.
        speakers: an RTTM file of who speaks when; then each turn is scored, see `turns`.
        strict: list recordings that break off with those that cannot be scored.
        on_progress: called now and then, and before the first recording.
        pool: makes what answers; `emelia.scale.scoring.pool_on` makes one on a cluster.

    Raises:
        AudioError: no recordings are there.
        ModelError, ConfigError, MissingExtraError: before any work.
        StorageError: `out` cannot be written, or has scores made with other settings.
    """
    out = Path(out)
    in_parts = parts.wanted(out)
    write = score_files.writer(out / "part.parquet" if in_parts else out)
    recognizer = load(model, emotions=emotions, threshold=threshold, source=source)
    if source_by and not adapt:
        raise ConfigError(f"sources are told apart by {source_by} to be adapted to. Add --adapt.")
    adapting = Adapting(recognizer, own=adapt) if adapt or source else None
    if adapt:
        SourceProfile(recognizer.card)  # refuses a model that cannot be adapted, before any work
    passed: list[str] = []
    asked = recordings(where, passed.append)
    if speakers is not None:
        if timelines is not None:
            raise ConfigError("speakers: each turn is scored, and no timelines are made of them.")
        asked = turns_of(asked, Path(speakers))
    segments = SegmentFiles.of(Path(timelines), asked) if timelines is not None else None
    named_source = source_of(where, source_by)
    file = find_model(model)
    about = {
        # With its digest: a model of the same name may have been trained again since.
        "model": f"{recognizer.card.name} ({sha256(file.read_bytes()).hexdigest()[:8]})",
        "emotions": ", ".join(recognizer.emotions),
        "input": os.path.normpath(where),
    }
    about |= _unusual(channel=channel, threshold=threshold, strict=strict)
    ensure_writable(out.parent)
    journal_file = out.with_name(f"{out.name}.journal")
    if out.exists() and not journal_file.exists() and not (in_parts and parts.free(out)):
        raise StorageError(
            f"{out}: is there already, without the journal that tells what it was made with. "
            "Choose another name, or delete it."
        )
    with Journal(journal_file, about) as journal:
        only = tuple(emotions) if emotions is not None else None
        options = WorkerOptions(str(file), only, threshold, channel, segments, strict)
        tally = _fill(journal, asked, options, jobs, on_progress, pool)
        tally.warnings[:0] = passed
        place = columns_of(asked)
        more = [ADAPTED] if adapting else []
        names = score_files.column_names(recognizer.emotions, place, more)
        if adapting:
            for one, side, row in journalled(asked, journal):
                adapting.add(named_source(one, side), row)
        rows = rows_of(asked, journal, recognizer.emotions, adapting, named_source)
        if in_parts:
            parts.write(out, names, rows, failures(asked, journal), about)
        else:
            write(out, names, rows)
        tally.out = out
        if adapting:
            tally.adapted = str(adapting)
            tally.warnings += adapting.warnings()
        if not in_parts:
            _write_failures(out.with_suffix(".failures.csv"), asked, journal)
    return tally


def _unusual(*, channel: Channel, threshold: float | None, strict: bool) -> dict[str, str]:
    """What the journal tells of options that are not as usual; older journals tell nothing."""
    told = {} if check_channel(channel) == MIX else {"channel": str(channel)}
    if threshold is not None:
        told["threshold"] = f"{threshold:g}"
    return told | ({"strict": "yes"} if strict else {})


def _fill(
    journal: Journal,
    asked: Sequence[Recording],
    options: WorkerOptions,
    jobs: int,
    on_progress: Callable[[Tally], None] | None,
    make_pool: MakePool,
) -> Tally:
    """Score the recordings that the journal does not have."""
    segments = options.segments
    marks = {
        one: mark
        for one in asked
        if not journal.has(key_of(one), mark := mark_of(path_of(one)))
        or (segments and not segments.there(path_of(one)))
    }
    tally = Tally(len(asked), len(asked) - len(marks), time.perf_counter())
    tell = on_progress or (lambda _: None)
    tell(tally)
    chunks = _chunks(marks, jobs)
    with make_pool(options, min(jobs, len(chunks))) as pool:
        for answers in pool.answers(chunks):
            for one, rows, reason, warnings in answers:
                tally.warnings += [f"{one}: {text}" for text in warnings]
                if not rows:
                    journal.add_failure(key_of(one), reason)
                    tally.failed += 1
                else:
                    journal.add(key_of(one), marks[one], rows)
                    tally.scored += 1
                    tally.heard += next(iter(rows.values()))[_SECONDS]
            tell(tally)
    return tally


def _chunks(marks: Mapping[Recording, Mark], jobs: int) -> list[list[Recording]]:
    """Chunks of recordings of like length, so that batches need little padding.

    The length is not known before decoding; the bytes of files of one kind stand for it. Excerpts
    of one recording stay together, as it is decoded once for all of them. The chunks are shuffled,
    or the short ones would be first and the time left told too short.
    """
    chunks: list[list[Recording]] = []
    most, room, last = min(_CHUNK_FILES, len(marks) // (4 * jobs) + 1), 0, ""
    for one in sorted(marks, key=lambda one: _alike(one, marks[one])):
        path, size = path_of(one), marks[one][0]
        of_last = path == last and len(chunks[-1]) < _CHUNK_EXCERPTS
        if not of_last and (not chunks or size > room or len(chunks[-1]) >= most):
            chunks.append([])
            room = _CHUNK_BYTES
        chunks[-1].append(one)
        room -= 0 if of_last else size
        last = path
    random.Random(0).shuffle(chunks)  # noqa: S311 - no secret: the same order every time
    return chunks


def _alike(one: Recording, mark: Mark) -> tuple[str, int, str]:
    """Sort key of recordings of like length; excerpts of one recording are beside each other."""
    excerpt = "" if isinstance(one, str) else one.path
    return os.path.splitext(path_of(one))[1], mark[0], excerpt


def _write_failures(path: Path, asked: Sequence[Recording], journal: Journal) -> None:
    """List what could not be scored; no file where all could."""
    if found := list(failures(asked, journal)):
        score_files.write_csv(path, (*columns_of(asked), "reason"), found)
    else:
        path.unlink(missing_ok=True)
