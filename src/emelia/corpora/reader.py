"""Finding and reading a corpus: what there is, who says it, and what cannot be used.

A place is the name of a corpus emelia makes itself (`demo`), a folder, a CSV manifest,
or `READER:PATH` to force one of the readers. A folder is read by the registered corpus
whose file names fit more than half of its recordings, else by the `manifest.csv` in it,
else as a folder per emotion. Every recording is decoded once to see that it can be used.

A corpus that is known by name is looked for in the folder that EMELIA_CORPORA names.
Places joined by `+` are read one after the other and become one corpus.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from emelia.corpora import aesdd, demo, emodb, nemo, ravdess
from emelia.corpora.joining import join, merge, restrict
from emelia.corpora.own import Labels, read_folders, read_manifest
from emelia.corpora.scan import SUFFIXES, OnProgress, Scan, audio_files, scan
from emelia.corpora.utterance import Corpus, CorpusSpec, Rejected, Utterance
from emelia.emotions import canonical
from emelia.errors import CorpusError
from emelia.storage import cache_root

CORPORA: dict[str, CorpusSpec] = {
    spec.name: spec for spec in (aesdd.SPEC, ravdess.SPEC, emodb.SPEC, nemo.SPEC, demo.SPEC)
}
OWN = ("manifest", "folders")  # the readers of corpora that have no name
_FORMATS = ", ".join(suffix[1:] for suffix in SUFFIXES)


def read_corpus(
    where: str | Path, on_progress: OnProgress | None = None, emotions: Sequence[str] = ()
) -> Corpus:
    """Read a corpus: `demo`, a name, a folder, a CSV manifest, `READER:PATH`, or several with `+`.

    Args:
        where: the place; a `Path` is never taken for a name.
        on_progress: called with (files done, files in all) while new files are decoded.
        emotions: the classes to keep; all where empty. Emotions a corpus counts as another
            one, RAVDESS's calm as neutral, stay apart if they are named here.

    Raises:
        CorpusError: there is no such place, or nothing in it can be used.
        MissingExtraError: `demo` is asked for, and what speaks it is not installed.
    """
    wanted = [canonical(name) for name in emotions]
    places = _places(where)
    corpora = [merge(_read_one(place, on_progress), wanted) for place in places]
    return restrict(join(corpora) if len(corpora) > 1 else corpora[0], wanted)


def _places(where: str | Path) -> Sequence[str | Path]:
    """Places joined by `+`; a path that exists may have one in its name."""
    if isinstance(where, Path) or "+" not in where or Path(where).expanduser().exists():
        return [where]
    places = [place.strip() for place in where.split("+")]
    if not all(places):
        raise CorpusError(f"{where}: expected a place on either side of each +, as in aesdd+nemo.")
    return places


def _read_one(where: str | Path, on_progress: OnProgress | None) -> Corpus:
    reader, path = _resolve(where)
    root, spec, labels = _understand(reader, Path(os.path.abspath(path)))
    _refuse_odd_names(labels)
    if not labels.fields:
        file, reason = next(iter(labels.reasons.items()))
        raise CorpusError(
            f"{path}: none of its {len(labels.reasons)} recordings has a known label "
            f"({file}: {reason}). Put them into a folder per emotion, or write a manifest.csv "
            "with the columns file, emotion, speaker."
        )
    found = scan(root, labels.fields, on_progress)
    if not found.digests:
        file, reason = next(iter(found.reasons.items()))
        raise CorpusError(
            f"{path}: none of its {len(found.reasons)} recordings can be used ({file}: {reason})."
        )
    own = path.stem if path.is_file() and path.stem != "manifest" else root.name
    return _assemble(spec.name if spec else own, root, spec, labels, found)


def _resolve(where: str | Path) -> tuple[str, Path]:
    """The reader asked for (empty: find out) and an existing path."""
    text = os.fspath(where)
    if where == "demo":
        folder = cache_root() / f"demo-{demo.VERSION}"
        demo.make_demo(folder)
        return "demo", folder
    path = Path(text).expanduser()
    if path.exists():
        return "", path
    if isinstance(where, str) and text in CORPORA and (home := _home_of(text)):
        return text, home
    head, colon, rest = text.partition(":")
    if colon and isinstance(where, str) and Path(rest).expanduser().exists():
        if head not in _readers():
            raise CorpusError(f"{text}: there is no reader {head!r}{_known(head, _readers())}")
        return head, Path(rest).expanduser()
    if text in CORPORA:
        raise CorpusError(
            f"{text}: emelia knows this corpus but not where it is; give its folder, or let "
            f"EMELIA_CORPORA name the folder that holds it. Its home is {CORPORA[text].home}"
        )
    if os.sep in text or colon or isinstance(where, Path):
        raise CorpusError(f"{text}: no such folder. Check the path, or try the corpus 'demo'.")
    raise CorpusError(f"{text}: no such folder, and no corpus of that name{_known(text, CORPORA)}")


def _home_of(name: str) -> Path | None:
    """Where a corpus lies among those of EMELIA_CORPORA, if it does."""
    folder = os.environ.get("EMELIA_CORPORA")
    home = Path(folder).expanduser() / name if folder else None
    return home if home and home.is_dir() else None


def _understand(reader: str, path: Path) -> tuple[Path, CorpusSpec | None, Labels]:
    """Root, spec and labels, by the reader asked for or the one that fits best."""
    if path.is_file():
        if reader in ("", "manifest"):
            return path.parent, None, read_manifest(path)
        raise CorpusError(f"{path}: a file; the reader {reader!r} expects a folder.")
    files = audio_files(path)
    spec = _readers()[reader] if reader else _best_spec(files)
    if files and spec is not None:
        return path, spec, _by_name(spec, files)
    manifest = path / "manifest.csv"  # may list files that lie elsewhere
    if reader == "manifest" or (not reader and manifest.is_file()):
        return path, None, read_manifest(manifest)
    if not files:
        raise CorpusError(
            f"{path}: no recordings in this folder or those inside it; expected {_FORMATS} files."
        )
    return path, None, read_folders(files)


def _best_spec(files: Sequence[Path]) -> CorpusSpec | None:
    """The registered corpus whose names fit most files, if they fit more than half."""
    specs = [spec for spec in _readers().values() if spec is not None]
    fits = {spec.name: sum(spec.parse(file) is not None for file in files) for spec in specs}
    best = max(specs, key=lambda spec: fits[spec.name])
    return best if 2 * fits[best.name] > len(files) else None


def _by_name(spec: CorpusSpec, files: Sequence[Path]) -> Labels:
    labels = Labels()
    for file in files:
        fields = spec.parse(file)
        if fields is None:
            labels.reasons[file] = f"its name is not one of {spec.name}'s ({spec.names})"
        else:
            labels.fields[file] = fields
    if labels.reasons:
        labels.notes.append(
            f"{len(labels.reasons)} of {len(files)} recordings have names that are not "
            f"{spec.name}'s and were left out."
        )
    return labels


def _refuse_odd_names(labels: Labels) -> None:
    """Names that are not UTF-8 could be neither printed nor stored in results."""
    for file in list(labels.fields):
        try:
            file.as_posix().encode()
        except UnicodeEncodeError:
            del labels.fields[file]
            printable = Path(os.fsencode(file).decode(errors="replace"))
            labels.reasons[printable] = "its name is not valid UTF-8"


def _assemble(
    name: str, root: Path, spec: CorpusSpec | None, labels: Labels, found: Scan
) -> Corpus:
    utterances = tuple(
        Utterance(
            id=file.as_posix(),
            path=root / file,
            emotion=fields.emotion,
            speaker=fields.speaker,
            sentence=fields.sentence,
            take=fields.take,
            gender=fields.gender,
            digest=found.digests[file],
        )
        for file, fields in sorted(labels.fields.items(), key=lambda item: item[0].as_posix())
        if file in found.digests
    )
    reasons = sorted({**labels.reasons, **found.reasons}.items())
    rejected = tuple(Rejected(root / file, reason) for file, reason in reasons)
    notes = [*labels.notes, *_differences(spec, utterances), *_duplicates(utterances)]
    return Corpus(name, root, utterances, rejected, spec, tuple(notes))


def _differences(spec: CorpusSpec | None, utterances: Sequence[Utterance]) -> list[str]:
    """How the numbers differ from those of the whole corpus."""
    if spec is None or not spec.clips:
        return []
    counts = Counter(u.emotion for u in utterances)
    missing = [name for name in spec.emotions if not counts[name]]
    unequal = [
        f"{name} {counts[name]} of {clips}"
        for name, clips in spec.emotions.items()
        if counts[name] not in (0, clips)
    ]
    parts = [f"no {', '.join(missing)}"] if missing else []
    parts += unequal
    speakers = len({u.speaker for u in utterances})
    if speakers != spec.speakers:
        parts.append(f"{speakers} of {spec.speakers} speakers")
    if not parts:
        return []
    return [f"{len(utterances)} of {spec.clips} clips are here: {'; '.join(parts)}."]


def _duplicates(utterances: Sequence[Utterance], most: int = 3) -> list[str]:
    """Recordings that occur more than once."""
    same = defaultdict(list)
    for utterance in utterances:
        same[utterance.digest].append(utterance)
    groups = [group for group in same.values() if len(group) > 1]
    if not groups:
        return []
    shown = ["; ".join(" = ".join(u.id for u in group[:most]) for group in groups[:most])]
    if len(groups) > most:
        shown.append(f"and {len(groups) - most} more")
    if contradictions := sum(len({u.emotion for u in group}) > 1 for group in groups):
        shown.append(f"{contradictions} of them with different emotions")
    return [f"Identical audio: {', '.join(shown)}."]


def _readers() -> dict[str, CorpusSpec | None]:
    """All readers by name; those of one's own corpora have no spec."""
    return {**CORPORA, **dict.fromkeys(OWN)}


def _known(name: str, among: Iterable[str]) -> str:
    names = sorted(among)
    near = get_close_matches(name, names, n=1)
    return (f"; did you mean {near[0]}?" if near else ".") + f" Known are: {', '.join(names)}."
