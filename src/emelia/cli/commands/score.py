"""`emelia score`: the emotions of thousands of files in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emelia import console
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    MIX,
    ChannelOption,
    JobsOption,
    ModelOption,
    OnlyOption,
    OnOption,
    SourceOption,
    StrictOption,
    ThresholdOption,
    TurnsOption,
    channel_word,
    cores,
    split_names,
)
from emelia.errors import AudioError

if TYPE_CHECKING:
    from emelia.use.scoring.run import MakePool, Tally

_TASK = "scoring"
_WARNINGS = 20  # printed at most


def score(
    where: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="A folder, or a place in an object store such as s3://BUCKET/CALLS, "
            "searched with those inside it; a .txt list with a path a line, or a "
            ".csv with a column `path` or `file` and, of segments, `start` and `end`; a quoted "
            "pattern; one recording.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The table to write: .csv or .parquet; without a suffix "
            "a folder of Parquet parts.",
            show_default=False,
        ),
    ],
    model: ModelOption = "default",
    emotions: OnlyOption = None,
    threshold: ThresholdOption = None,
    channel: ChannelOption = MIX,
    source: SourceOption = None,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt", help="Adapt answers to the voices and rooms of the collection itself."
        ),
    ] = False,
    source_by: Annotated[
        str,
        typer.Option(
            "--source-by",
            metavar="folder|COLUMN",
            help="With --adapt: recordings in one folder, or with one value in this column of the "
            "list, are of one source. \\[default: all are]",
            show_default=False,
        ),
    ] = "",
    timeline: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write a CSV a recording into this folder, with a row for each segment.",
            show_default=False,
        ),
    ] = None,
    speakers: TurnsOption = None,
    strict: StrictOption = False,
    jobs: JobsOption = None,
    on: OnOption = "",
) -> None:
    """Recognise the emotion of every recording of a collection.

    Columns: path, emotion, confidence, unsure, seconds, speech and the probability of each
    emotion. Of recordings over five minutes the row is the mean over their speech; --timeline has
    the segments of all. Ctrl-C or a crash loses nothing: the same command goes on, and later
    scores only what is new or has changed. What cannot be scored is listed in OUT.failures.csv.
    With --adapt or --source a column `adapted` tells to how many recordings an answer is adapted.

    Examples: emelia score talks/ scores.csv · emelia score "talks/**/*.mp3" scores.parquet ·
    emelia score calls/ scores.csv --timeline segments/ ·
    emelia score calls/ scores.csv --adapt --source-by folder
    """
    from emelia.use.scoring.pool import Pool
    from emelia.use.scoring.run import score as score_all

    labels = None if emotions is None else split_names(emotions)
    with ExitStack() as stack:
        workers, pool = jobs or cores(), cast("MakePool", Pool)
        if on:
            workers, pool = stack.enter_context(_cluster(on, jobs, where, timeline))
        progress = stack.enter_context(console.Progress())
        tally = score_all(
            where,
            out,
            model=model,
            emotions=labels,
            threshold=threshold,
            channel=channel_word(channel),
            source=source,
            adapt=adapt,
            source_by=source_by,
            jobs=workers,
            timelines=timeline,
            speakers=speakers,
            strict=strict,
            on_progress=_teller(progress),
            pool=pool,
        )
        progress.finish(_TASK, tally.facts())
    _tell(tally, out)
    if timeline:
        console.say(f"Segments: {timeline}")
    if out.suffix:
        suggest(("emelia evaluate", out, "CORPUS"))


@contextmanager
def _cluster(
    on: str, jobs: int | None, where: str, timeline: Path | None
) -> Iterator[tuple[int, MakePool]]:
    """How many workers a cluster has for a scoring, and what makes them."""
    from emelia.audio.stores.objects import is_remote
    from emelia.scale.cluster import connect
    from emelia.scale.scoring import MEMORY, pool_on
    from emelia.use.inputs import path_of, recordings

    asked = recordings(where)  # raises before a cluster is started
    with connect(on, jobs or cores()) as cluster:
        first = path_of(asked[0])
        places = [timeline, None if is_remote(first) else first]
        cluster.check([place for place in places if place], MEMORY)
        yield jobs or cluster.cpus, pool_on(cluster)


def _teller(progress: console.Progress) -> Callable[[Tally], None]:
    """A callback that draws the bar, beginning where an earlier run stopped."""
    started = False

    def tell(tally: Tally) -> None:
        nonlocal started
        if started:
            progress.step(_TASK, tally.done, tally.facts())
        else:
            progress.start(_TASK, tally.total, tally.done)
        started = True

    return tell


def _tell(tally: Tally, out: Path) -> None:
    for text in tally.warnings[:_WARNINGS]:
        console.warn(text)
    if (more := len(tally.warnings) - _WARNINGS) > 0:
        console.warn(f"{more} further warnings of this kind")
    if tally.adapted:
        console.say(tally.adapted)
    kept = f", {tally.kept} of them before" if tally.kept else ""
    console.say(f"{tally.total - tally.failed} of {tally.total} recordings{kept}: {out}")
    if tally.failed:
        raise AudioError(
            f"{tally.failed} of {tally.total} recordings could not be scored; the reasons are in "
            f"{out.with_suffix('.failures.csv')}. The same command tries them again."
        )
