"""Read a corpus: find it, label its recordings, and check that each can be decoded.

A place is `demo` (which emelia makes itself), the name of a known corpus, a folder, a CSV manifest,
or `READER:PATH` to choose the reader (`hf:` and `audformat:` for data sets kept as tables). A
folder is read as the known corpus whose file names fit more than half of its recordings, else by
its `manifest.csv`, else as folders of emotions. A known corpus is searched for below
$EMELIA_CORPORA and where `emelia corpora fetch` puts it. Places joined by `+` are one corpus.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from emelia.audio.files import EXPECTED
from emelia.corpora.reading.copies import describe_copies, without_copies
from emelia.corpora.reading.datasets.conversion import read_notes
from emelia.corpora.reading.folders import read_folders
from emelia.corpora.reading.joining import join, merge, restrict
from emelia.corpora.reading.layouts import Rules, read_layout, rename_labels
from emelia.corpora.reading.manifest import read_manifest
from emelia.corpora.reading.mixtures import kinds_of, left_out, mixture_in
from emelia.corpora.reading.places import Place, divided, resolve
from emelia.corpora.reading.registry import TABLE_READERS, files_of, readers
from emelia.corpora.reading.warnings import differences, duplicates
from emelia.corpora.records import Corpus, CorpusSpec, Labels, Rejected, Utterance
from emelia.corpora.scan import OnProgress, Scan, audio_files, scan
from emelia.emotions import canonical, renamed, unknown_labels
from emelia.errors import CorpusError

_HINT = " If the files hold the segments alone, say so: 'manifest.csv?start=&end=&duration='."


def read_corpus(
    where: str | Path,
    on_progress: OnProgress | None = None,
    emotions: Sequence[str] = (),
    *,
    complete: bool = True,
    apart: Sequence[str] = (),
    speakers_from: str = "",
    layout: str = "",
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Corpus:
    """Read a corpus: `demo`, a name, a folder, a manifest, `READER:PATH`, or several with `+`.

    Args:
        where: the place; a `Path` is a folder or file, never a name.
        on_progress: called with (files done, files in all) while new files are decoded.
        emotions: classes to keep; all where empty. An emotion that the corpus counts as another
            one, such as RAVDESS's calm as neutral, stays a class if it is named here.
        complete: raise an error where the corpus lacks one of these classes.
        apart: further emotions that stay classes, without leaving out others.
        speakers_from: `folder`, `none` or a regular expression on paths, which tells the speakers
            of clips of which neither a known corpus nor a table does; empty: found by names.
        layout: folders from the corpus down, `speaker/emotion` or `emotion/speaker`; empty: found
            by names.
        columns: of a manifest, by role: `{"file": "path", "emotion": "label"}`.
        labels: other names for labels, `{"θυμός": "anger"}`; `-` leaves their clips out.

    Raises:
        CorpusError: there is no such place, or no recording in it can be used.
        ConfigError: `speakers_from` tells no speaker, or another rule does not fit.
        MissingExtraError: `demo` needs eSpeak NG, which is not installed.
    """
    wanted = [canonical(name) for name in emotions]
    apart = [*wanted, *map(canonical, apart)]
    rules = Rules(speakers_from, layout, columns or {}, labels or {})
    found = [_read_place(place, on_progress, rules) for place in divided(where)]
    corpora = [merge(corpus, apart) for read, _ in found for corpus in read]
    corpus = join(corpora) if len(corpora) > 1 else corpora[0]
    notes = [note for _, some in found for note in some]
    corpus = replace(corpus, warnings=(*notes, *corpus.warnings))
    return restrict(corpus, wanted if complete else [e for e in wanted if e in corpus.emotions])


def _read_place(
    where: str | Path, on_progress: OnProgress | None, rules: Rules
) -> tuple[list[Corpus], Sequence[str]]:
    """The corpora at a place, and notes on them all; several where a folder holds several."""
    place = resolve(where)
    # Not resolved: the name of a link is the name of the corpus.
    path = Path(os.path.abspath(place.path))
    passed: list[str] = []
    searched = path.is_dir() and place.reader not in TABLE_READERS
    files = audio_files(path, passed) if searched else []
    fits = {} if place.reader else files_of(files)
    mixture = None if rules.layout else mixture_in(path, files, fits)
    if mixture is None:
        labelled = _label(replace(place, path=path), files, fits, rules, passed)
        if rules.labels:
            rename_labels(labelled[2], rules.labels)
        return [_read_one(path, *labelled, on_progress)], ()
    return [
        _read_one(part.root, part.root, part.spec, _labels_of(part.spec, part.root, part.files),
                  on_progress)
        for part in mixture.parts
    ], [*mixture.notes, *passed]  # fmt: skip


def _read_one(
    path: Path,
    root: Path,
    spec: CorpusSpec | None,
    labels: Labels,
    on_progress: OnProgress | None,
) -> Corpus:
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
            f"({file}: {reason.rstrip('.')}).{_HINT if labels.spans else ''}"
        )
    own = path.stem if path.is_file() and path.stem != "manifest" else root.name
    return _assemble(spec.name if spec else own, root, spec, labels, found)


def _none(recordings: int, is_so: str, is_not: str) -> str:
    one = recordings == 1
    return f"its only recording {is_not}" if one else f"none of its {recordings} recordings {is_so}"


def _label(
    place: Place,
    files: Sequence[Path],
    fits: Mapping[str, set[Path]],
    rules: Rules,
    passed: Sequence[str],
) -> tuple[Path, CorpusSpec | None, Labels]:
    """Corpus folder, spec and labels, by the reader asked for or the one that fits best."""
    reader, path, speakers_from = place.reader, place.path, rules.speakers_from
    columns = {**place.columns, **rules.roles}
    if rules.layout and files:
        return path, None, _noted(read_layout(files, rules), passed)
    if path.is_file():
        if reader in ("", "manifest"):
            return path.parent, None, read_manifest(path, columns, speakers_from)
        raise CorpusError(f"{path}: a file; the reader {reader!r} expects a folder.")
    if reader in TABLE_READERS:
        labels = read_manifest(path / "manifest.csv", None, speakers_from)
        labels.notes += read_notes(path)
        return path, None, labels
    spec = readers()[reader] if reader else _best_spec(files, fits)
    if files and spec is not None:
        return path, spec, _noted(_labels_of(spec, path, files), passed)
    manifest = path / "manifest.csv"  # may list files outside the folder
    if reader == "manifest" or (not reader and manifest.is_file()):
        return path, None, read_manifest(manifest, columns, speakers_from)
    if not files:
        raise CorpusError(
            f"{path}: no recordings in this folder or those inside it; expected {EXPECTED}. "
            + "".join(f"{line}. " for line in passed)
            + f"A data set in Parquet or Arrow files is read as hf:{path}"
        )
    return path, None, _noted(_labels_of_folders(path, files, fits, speakers_from), passed)


def _noted(labels: Labels, passed: Sequence[str]) -> Labels:
    labels.notes += passed
    return labels


def _best_spec(files: Sequence[Path], fits: Mapping[str, set[Path]]) -> CorpusSpec | None:
    """The known corpus whose names fit most files, if they fit more than half."""
    best = max(fits, key=lambda name: len(fits[name]), default="")
    # A folder may hold other files, too; with fewer than half it is not this corpus.
    return readers()[best] if best and 2 * len(fits[best]) > len(files) else None


def _labels_of(spec: CorpusSpec, root: Path, files: Sequence[Path]) -> Labels:
    return (spec.label or partial(_by_name, spec))(root, files)


def _labels_of_folders(
    root: Path, files: Sequence[Path], fits: Mapping[str, set[Path]], speakers_from: str
) -> Labels:
    labels = read_folders(files, speakers_from)
    for name, found in kinds_of(fits).items():
        labels.notes.append(
            f"{len(found)} recordings have names of {name}'s. To read them as what they are, join "
            f"the folders by +, or give {name}:{root} for these alone."
        )
    return labels


def _by_name(spec: CorpusSpec, root: Path, files: Sequence[Path]) -> Labels:
    labels = Labels()
    for file in files:
        fields = spec.read_name(file)
        if fields is None:
            labels.reasons[file] = spec.foreign
        else:
            labels.fields[file] = fields
    if labels.reasons:
        labels.notes.append(
            f"{len(labels.reasons)} of {len(files)} recordings have names that are not "
            f"{spec.name}'s and were left out."
        )
    kinds = kinds_of(files_of(list(labels.reasons)))
    labels.notes += [left_out(root, found, {name: found}) for name, found in kinds.items()]
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
        *filter(None, [renamed(labels.words), unknown_labels({u.emotion for u in utterances})]),
        *labels.notes,
        *found.notes,
        *describe_copies(utterances, copies),
        *differences(spec, utterances),
        *duplicates(utterances),
    ]
    return Corpus(name, root, utterances, rejected, spec, tuple(notes), copies=copies)
