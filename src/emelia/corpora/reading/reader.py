"""Read a corpus: find it, label its recordings, and check that each can be decoded.

A place is `demo` (which emelia makes itself), the name of a known corpus, a folder, a CSV manifest,
or `READER:PATH` to choose the reader (`hf:` and `audformat:` for data sets kept as tables). A
folder is read as the known corpus whose file names fit more than half of its recordings, else by
its `manifest.csv`, else as folders of emotions. A known corpus is searched for below
$EMELIA_CORPORA and where `emelia corpora fetch` puts it. Places joined by `+` are one corpus.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from emelia.audio.files import SUFFIXES
from emelia.caches import cache_root
from emelia.corpora.known import demo
from emelia.corpora.known.asia_africa import ased, casia, esd, shemo, subesco, turev, urdu
from emelia.corpora.known.english import (
    cremad,
    emogator,
    iemocap,
    ravdess,
    ravdess_song,
    savee,
    tess,
)
from emelia.corpora.known.europe import aesdd, cafe, emodb, emovo, emozionalmente, mesd, nemo
from emelia.corpora.paths import corpus_folder
from emelia.corpora.reading.audformat import read_audformat
from emelia.corpora.reading.conversion import read_notes
from emelia.corpora.reading.copies import describe_copies, without_copies
from emelia.corpora.reading.folders import read_folders
from emelia.corpora.reading.huggingface import read_hugging_face
from emelia.corpora.reading.joining import join, merge, restrict
from emelia.corpora.reading.manifest import read_manifest
from emelia.corpora.reading.warnings import differences, duplicates
from emelia.corpora.records import Corpus, CorpusSpec, Labels, Rejected, Utterance
from emelia.corpora.scan import OnProgress, Scan, audio_files, scan
from emelia.emotions import canonical
from emelia.errors import CorpusError
from emelia.listing.finding import as_on_disk
from emelia.storage import expanded
from emelia.text import nearest

_MODULES = (
    aesdd, ased, cafe, casia, cremad, demo, emodb, emogator, emovo, emozionalmente, esd, iemocap,
    mesd, nemo, ravdess, ravdess_song, savee, shemo, subesco, tess, turev, urdu,
)  # fmt: skip
CORPORA: dict[str, CorpusSpec] = {module.SPEC.name: module.SPEC for module in _MODULES}
UNNAMED = ("manifest", "folders")  # readers of corpora that are not known by name
TABLE_READERS = {
    "hf": read_hugging_face,
    "audformat": read_audformat,
}  # of data sets kept as tables
_FORMATS = ", ".join(suffix[1:] for suffix in SUFFIXES)


def read_corpus(
    where: str | Path,
    on_progress: OnProgress | None = None,
    emotions: Sequence[str] = (),
    *,
    complete: bool = True,
    apart: Sequence[str] = (),
) -> Corpus:
    """Read a corpus: `demo`, a name, a folder, a manifest, `READER:PATH`, or several with `+`.

    Args:
        where: the place; a `Path` is a folder or file, never a name.
        on_progress: called with (files done, files in all) while new files are decoded.
        emotions: classes to keep; all where empty. An emotion that the corpus counts as another
            one, such as RAVDESS's calm as neutral, stays a class if it is named here.
        complete: raise an error where the corpus lacks one of these classes.
        apart: further emotions that stay classes, without leaving out others.

    Raises:
        CorpusError: there is no such place, or no recording in it can be used.
        MissingExtraError: `demo` needs eSpeak NG, which is not installed.
    """
    wanted = [canonical(name) for name in emotions]
    places = _places(where)
    apart = [*wanted, *map(canonical, apart)]
    corpora = [merge(_read_one(place, on_progress), apart) for place in places]
    corpus = join(corpora) if len(corpora) > 1 else corpora[0]
    return restrict(corpus, wanted if complete else [e for e in wanted if e in corpus.emotions])


def _places(where: str | Path) -> Sequence[str | Path]:
    """Divide places joined by `+`; an existing path may have a + in its name."""
    if isinstance(where, Path) or "+" not in where or os.path.exists(expanded(where)):
        return [where]
    places = [place.strip() for place in where.split("+")]
    if not all(places):
        raise CorpusError(f"{where}: expected a place on either side of each +, as in aesdd+nemo.")
    return places


def _read_one(where: str | Path, on_progress: OnProgress | None) -> Corpus:
    reader, path = _resolve(where)
    # Not resolved: the name of a link is the name of the corpus.
    root, spec, labels = _label(reader, Path(os.path.abspath(path)))
    _leave_out_bad_names(labels)
    if not labels.fields:
        file, reason = next(iter(labels.reasons.items()))
        raise CorpusError(
            f"{path}: {_none(len(labels.reasons), 'has a known label', 'has no known label')} "
            f"({file}: {reason}). Put them into a folder per emotion, or write a manifest.csv "
            "with the columns file, emotion, speaker."
        )
    found = scan(root, labels.fields, on_progress, labels.spans)
    if not found.digests:
        file, reason = next(iter(found.reasons.items()))
        raise CorpusError(
            f"{path}: {_none(len(found.reasons), 'can be used', 'cannot be used')} "
            f"({file}: {reason.rstrip('.')})."
        )
    own = path.stem if path.is_file() and path.stem != "manifest" else root.name
    return _assemble(spec.name if spec else own, root, spec, labels, found)


def _none(recordings: int, is_so: str, is_not: str) -> str:
    one = recordings == 1
    return f"its only recording {is_not}" if one else f"none of its {recordings} recordings {is_so}"


def _resolve(where: str | Path) -> tuple[str, Path]:
    """The reader asked for (empty: choose by the files) and an existing path."""
    text = os.fspath(where)
    if where == "demo":
        folder = cache_root() / f"demo-{demo.VERSION}"
        demo.make_demo(folder)
        return "demo", folder
    path = expanded(text)
    if os.path.exists(path):
        return "", path
    if isinstance(where, str) and os.path.exists(as_on_disk(path)):
        return "", as_on_disk(path)
    head, colon, rest = text.partition(":")
    if colon and head in TABLE_READERS and isinstance(where, str):
        return head, TABLE_READERS[head](rest)
    if isinstance(where, str) and text in CORPORA and (found := corpus_folder(text)):
        return text, found
    if colon and isinstance(where, str) and os.path.exists(expanded(rest)):
        if head not in _readers():
            raise CorpusError(f"{text}: there is no reader {head!r}{_known(head, _readers())}")
        return head, expanded(rest)
    if text in CORPORA:
        raise CorpusError(
            f"{text}: emelia knows this corpus but not where it is; give its folder, or let "
            f"EMELIA_CORPORA name the folder that holds it. To get it, {_advice(CORPORA[text])}. "
            f"Its homepage is {CORPORA[text].homepage}"
        )
    if os.sep in text or colon or isinstance(where, Path):
        raise CorpusError(f"{text}: no such folder. Check the path, or try the corpus 'demo'.")
    raise CorpusError(f"{text}: no such folder, and no corpus of that name{_known(text, CORPORA)}")


def _advice(spec: CorpusSpec) -> str:
    return f"run: emelia corpora fetch {spec.name}" if spec.source else spec.obtain


def _label(reader: str, path: Path) -> tuple[Path, CorpusSpec | None, Labels]:
    """Corpus folder, spec and labels, by the reader asked for or the one that fits best."""
    if path.is_file():
        if reader in ("", "manifest"):
            return path.parent, None, read_manifest(path)
        raise CorpusError(f"{path}: a file; the reader {reader!r} expects a folder.")
    if reader in TABLE_READERS:
        labels = read_manifest(path / "manifest.csv")
        labels.notes += read_notes(path)
        return path, None, labels
    files = audio_files(path)
    spec = _readers()[reader] if reader else _best_spec(files)
    if files and spec is not None:
        label = spec.label or partial(_by_name, spec)
        return path, spec, label(path, files)
    manifest = path / "manifest.csv"  # may list files outside the folder
    if reader == "manifest" or (not reader and manifest.is_file()):
        return path, None, read_manifest(manifest)
    if not files:
        raise CorpusError(
            f"{path}: no recordings in this folder or those inside it; expected {_FORMATS} files. "
            f"A data set in Parquet or Arrow files is read as hf:{path}"
        )
    return path, None, read_folders(files)


def _best_spec(files: Sequence[Path]) -> CorpusSpec | None:
    """The known corpus whose names fit most files, if they fit more than half."""
    specs = [spec for spec in _readers().values() if spec is not None]
    fits = {spec.name: sum(spec.parse(file) is not None for file in files) for spec in specs}
    best = max(specs, key=lambda spec: fits[spec.name])
    # A folder may hold other files, too; with fewer than half it is not this corpus.
    return best if 2 * fits[best.name] > len(files) else None


def _by_name(spec: CorpusSpec, _root: Path, files: Sequence[Path]) -> Labels:
    labels = Labels()
    for file in files:
        fields = spec.parse(file)
        if fields is None:
            labels.reasons[file] = spec.foreign
        else:
            labels.fields[file] = fields
    if labels.reasons:
        labels.notes.append(
            f"{len(labels.reasons)} of {len(files)} recordings have names that are not "
            f"{spec.name}'s and were left out."
        )
    return labels


def _leave_out_bad_names(labels: Labels) -> None:
    """Leave out files whose names are not UTF-8: they can be neither printed nor stored."""
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
    utterances, copies = without_copies(
        Utterance(
            id=file.as_posix(),
            path=root / recording,
            emotion=fields.emotion,
            speaker=fields.speaker,
            sentence=fields.sentence,
            take=fields.take,
            gender=fields.gender,
            digest=found.digests[file],
            span=span,
            part=fields.part,
        )
        for file, fields in sorted(labels.fields.items(), key=lambda item: item[0].as_posix())
        if file in found.digests
        for recording, span in [labels.spans.get(file, (file, None))]
    )
    reasons = sorted({**labels.reasons, **found.reasons}.items())
    rejected = tuple(Rejected(root / file, reason) for file, reason in reasons)
    notes = [
        *labels.notes,
        *describe_copies(utterances, copies),
        *differences(spec, utterances),
        *duplicates(utterances),
    ]
    return Corpus(name, root, utterances, rejected, spec, tuple(notes), copies=copies)


def _readers() -> dict[str, CorpusSpec | None]:
    """All readers by name; manifest and folders have no spec."""
    return {**CORPORA, **dict.fromkeys(UNNAMED)}


def _known(name: str, among: Iterable[str]) -> str:
    names = sorted(among)
    near = nearest(name, names)
    return (f"; did you mean {near}?" if near else ".") + f" Known are: {', '.join(names)}."
