"""`emelia corpora` lists, shows and downloads corpora; `emelia demo` writes a clip to try."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.cli.common import open_corpus
from emelia.cli.next_steps import quick_study, suggest
from emelia.cli.options import EmotionsOption, SpeakersOption, WideOption
from emelia.corpora import CORPORA, Corpus, CorpusSpec
from emelia.corpora.paths import corpus_folder, download_folder
from emelia.corpora.splits.scheme import make_split, possible_splits
from emelia.errors import ConfigError, SplitError, StorageError
from emelia.table import Table
from emelia.text import did_you_mean

_MANY = 20  # files, above which they are counted instead of megabytes
_CROWD = 100  # speakers, above which not all are named


def corpora(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS | fetch NAME",
            help="Look at this one: a folder, a CSV manifest or a name. Or get those named; "
            "hf:OWNER/NAME is a data set of the Hugging Face hub.",
            show_default=False,
        ),
    ] = None,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    to: Annotated[
        Path | None,
        typer.Option(
            help="With fetch: below this folder. \\[default: $EMELIA_CORPORA or the cache]",
            show_default=False,
        ),
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="With fetch: agree to their licences.")
    ] = False,
    wide: WideOption = False,
) -> None:
    """List the corpora emelia can read, look at one, or fetch those that are free to download.

    A folder is recognised by its file names. Speech of your own works as a folder per
    emotion, or as a CSV file with the columns file, emotion, speaker.

    Examples: emelia corpora · emelia corpora recordings/ · emelia corpora fetch ravdess
    """
    words = what or []
    if words[:1] == ["fetch"]:
        _fetch(words[1:], to or _lasting_folder(), accept_licence)
    elif to or accept_licence:
        raise ConfigError("--to and --accept-licence go with: emelia corpora fetch NAME")
    elif len(words) > 1:
        raise ConfigError(f"{' '.join(words)}: expected one corpus; join several with +.")
    elif words:
        corpus, place = open_corpus(words[0], emotions, speakers_from=speakers_from), Path(words[0])
        _show(corpus)
        suggest(("emelia explore", place), *quick_study(corpus, place))
    else:
        _list_known(wide)
        suggest(("emelia corpora fetch", "NAME"), ("emelia corpora", "FOLDER"))


def _lasting_folder() -> Path:
    """Where corpora are fetched to without `--to`; never a folder that is called `~`."""
    folder = download_folder()
    if folder.parts[0].startswith("~"):
        raise StorageError(f"{folder}: your home folder is not known. Name a folder with --to.")
    return folder


def _list_known(wide: bool) -> None:
    columns = ["name", "language", "clips", "speakers", "emotions", "licence", "get it"]
    rows = [
        [s.name, s.language, *(f"{n:,}" if n else "–" for n in (s.clips, s.speakers)),
         str(len(s.emotions)), s.licence, _way_to(s)]
        for s in CORPORA.values()
    ]  # fmt: skip
    note = (
        f"is here: below {download_folder()}, so the name suffices. "
        "fetch: emelia corpora fetch NAME."
    )
    title, spare = "Corpora that are recognised by their file names", ("licence", "emotions")
    Table(title, columns, rows, note, spare=spare).print(wide)
    console.say("Their homes, and how to get those that are not free to download:")
    for spec in CORPORA.values():
        console.say(f"  {spec.name}: {spec.homepage if spec.source else spec.obtain}")


def _way_to(spec: CorpusSpec) -> str:
    """How a corpus is obtained, in two words."""
    if corpus_folder(spec.name):
        return "is here"
    return "fetch" if spec.source else "is made" if spec.name == "demo" else "by hand"


def _fetch(names: Sequence[str], folder: Path, accepted: bool) -> None:
    from emelia.corpora.fetching.hub import hub_spec

    free = [spec.name for spec in CORPORA.values() if spec.source]
    if not names:
        raise ConfigError(f"fetch what? Free to download are {', '.join(free)}.")
    for name in names:
        if name not in CORPORA and not name.startswith("hf:"):
            hint = did_you_mean(name, CORPORA, f"free are {', '.join(free)}.")
            raise ConfigError(f"{name}: no such corpus; {hint}")
    for name in names:
        spec = hub_spec(name[3:]) if name.startswith("hf:") else CORPORA[name]
        _fetch_one(spec, folder, accepted)


def _fetch_one(spec: CorpusSpec, folder: Path, accepted: bool) -> None:
    from emelia.corpora.fetching.fetch import fetch, is_fetched

    if is_fetched(folder / spec.name):
        console.say(f"{spec.name} is already in {folder / spec.name}")
        return
    console.say(f"{spec.name}: {spec.title}\nHome: {spec.homepage}\nLicence: {spec.licence}")
    console.say(f"Citation: {spec.citation}")
    if spec.source and not accepted:
        _ask_for_consent(spec)
    with console.Progress() as progress:
        task = f"fetching {spec.name}"
        started = False

        def tell(done: int, files: int, came: int, size: int) -> None:
            nonlocal started
            by_size = size and files <= _MANY
            now, total = (came // 10**6, size // 10**6) if by_size else (done, files)
            if not started:
                progress.start(task, total, now)
                started = True
            progress.step(task, now, "MB" if by_size else "files")

        home = fetch(spec, folder, tell)
        if started:
            progress.finish(task)
    console.say(f"{spec.name} is in {home}\nLook at it: emelia corpora {_place(spec, home)}")


def _ask_for_consent(spec: CorpusSpec) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{spec.name}: read its licence ({spec.licence}; {spec.homepage}) and agree to it with "
            "--accept-licence."
        )
    if not typer.confirm("Do you agree to this licence?"):
        raise typer.Exit(1)


def _place(spec: CorpusSpec, home: Path) -> str:
    """The argument that names a corpus in a command: its name where that suffices."""
    return spec.name if corpus_folder(spec.name) == home else str(home)


def _show(corpus: Corpus) -> None:
    counts = corpus.counts()
    rows = [[name, str(counts[name])] for name in corpus.emotions]
    rows.append(["all", str(len(corpus.utterances))])
    splits = ", ".join(possible_splits(corpus)) or f"none; {_why_none(corpus)}"
    note = f"Speakers: {_named(corpus.speakers)}. Splits: {splits.rstrip('.')}."
    Table(f"{corpus.name}: clips by emotion", ["emotion", "clips"], rows, note).print()
    for spec in (source.spec for source in corpus.sources if source.spec):
        console.say(f"Licence: {spec.licence}\nCitation: {spec.citation}\nHome: {spec.homepage}")
        if spec.note:
            console.say(f"Note: {spec.note}")


def _why_none(corpus: Corpus) -> str:
    """Why a corpus cannot even be split by leaving one speaker out."""
    try:
        make_split(corpus, "loso")
    except SplitError as error:
        return str(error).partition(": ")[2].removesuffix(" No split is possible.")
    return ""


def _named(speakers: Sequence[str]) -> str:
    if len(speakers) <= _CROWD:
        return ", ".join(speakers)
    return f"{', '.join(speakers[:3])}, ..., {speakers[-1]} ({len(speakers)} in all)"


def demo(
    out: Annotated[Path, typer.Argument(help="WAV file to write.", show_default=False)],
    emotion: Annotated[
        str,
        typer.Option(
            metavar="EMOTION",
            help="Write another clip of the embedded corpus, which acts this emotion (extra demo).",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a synthetic clip to try the other commands with.

    A computer speaks it and acts an emotion by rule: an answer to it shows how the commands work
    and says nothing about people.

    Examples: emelia demo clip.wav · emelia demo sad.wav --emotion sadness
    """
    from emelia.storage import write_atomically

    if out.suffix.lower() != ".wav":
        raise ConfigError(f"{out}: expected a name that ends in .wav.")
    if out.exists() and not force:
        raise ConfigError(f"{out}: is there already. Choose another name, or add --force.")
    data, acted = _of(emotion) if emotion else (_shipped(), "fear")
    write_atomically(out, data)
    console.say(f"{out}: a synthetic voice acts {acted}.")
    suggest(("emelia predict", out))


def _shipped() -> bytes:
    """The clip that comes with emelia, which the page of `emelia serve` offers too."""
    import soundfile

    from emelia.audio.encoding import wav_of
    from emelia.use.bundled import SAMPLE_CLIP

    return wav_of(*soundfile.read(SAMPLE_CLIP, dtype="int16"))


def _of(emotion: str) -> tuple[bytes, str]:
    """A clip of the embedded corpus that acts an emotion, and the emotion."""
    from emelia.corpora import read_corpus

    clips = read_corpus("demo", emotions=[emotion]).utterances
    chosen = next(clip for clip in clips if "_en" in clip.path.name)
    return chosen.path.read_bytes(), chosen.emotion
