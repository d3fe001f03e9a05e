"""The records that all layers share: utterances (clips), corpora, folds and splits."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from emelia.audio.excerpts import Span
from emelia.corpora.sources import Source
from emelia.emotions import EMOTIONS, canonical
from emelia.table import data_frame
from emelia.text import counted

PARTS = ("train", "validation", "test")
UNKNOWN_SPEAKER = "unknown"  # in corpora that do not name their speakers
NO_LANGUAGE = "no language"  # of corpora without speech, such as laughter
_GENDER_WORDS = {
    "female": (
        "f fem female woman women w weiblich frau femme feminine féminin femenino femminile "
        "femenina mujer donna kobieta kadın kadin γυναίκα زن 女 girl lady"
    ),
    "male": (
        "m male man men männlich maennlich mann homme masculine masculin masculino maschile uomo "
        "hombre mężczyzna erkek άνδρας άντρας مرد 男 boy"
    ),
}
GENDERS = {word: gender for gender, words in _GENDER_WORDS.items() for word in words.split()}
_PART_WORDS = {
    "train": "train training tr",
    "validation": "validation valid val dev devel development",
    "test": "test testing eval evaluation",
}
PART_WORDS = {word: part for part, words in _PART_WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip: one labelled recording of a corpus.

    `id` is the path relative to the corpus folder, with forward slashes. It identifies the clip
    in results, and is the same on every machine.
    """

    id: str
    path: Path
    emotion: str
    speaker: str  # unique within the corpus, e.g. "3" or "Actor_03"
    sentence: str = ""  # what is said; empty where unknown
    take: str = ""  # which repetition of the sentence
    gender: str = ""  # "female", "male", or empty where not published
    digest: str = ""  # SHA-256 of the decoded samples: equal for identical audio
    corpus: str = ""  # its corpus, where several are joined
    span: Span | None = None  # of a segment: where in the recording it lies
    part: str = ""  # the official one: train, validation, test; empty where there is none


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was left out, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Fields:
    """What a file name tells of a clip."""

    emotion: str
    speaker: str
    sentence: str = ""
    take: str = ""
    gender: str = ""
    part: str = ""


def parse_name(
    pattern: re.Pattern[str],
    path: Path,
    *,
    women: Collection[str] | None = None,
    **codes: Mapping[str, str],
) -> Fields | None:
    """Read what a file name tells; None where it is not one of the corpus's.

    Args:
        pattern: fits whole names without suffix. Its named groups are fields of `Fields`, and
            `gender` is F or M, in either case.
        path: of the recording.
        women: the female speakers, where the corpus lists them; all others are male.
        codes: for a field, what its codes stand for. Emotions need no table where the codes are
            words of `emotions.canonical`.
    """
    match = pattern.fullmatch(path.stem)
    if match is None:
        return None
    told = {name: codes.get(name, {}).get(code, code) for name, code in match.groupdict().items()}
    told["emotion"] = canonical(told["emotion"])
    if women is not None:
        told["gender"] = "female" if told["speaker"] in women else "male"
    elif "gender" in told:
        told["gender"] = GENDERS[told["gender"].lower()]
    return Fields(**told)


def lies_under_another(path: Path, emotion: str) -> bool:
    """Whether a folder around a file names another emotion than the file name seems to.

    Then the file is not one of the corpus's: its name only looks like it.
    """
    named = {canonical(folder) for folder in path.parent.parts} & set(EMOTIONS)
    return bool(named - {emotion})


@dataclass
class Labels:
    """What a reader found out about a set of files; paths are relative to the corpus folder."""

    fields: dict[Path, Fields] = field(default_factory=dict)
    reasons: dict[Path, str] = field(default_factory=dict)  # why files are left out
    notes: list[str] = field(default_factory=list)  # sentences to show to the user
    # The recording and the place of each clip that is a segment.
    spans: dict[Path, tuple[Path, Span]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # labels as written, and their emotions


@dataclass(frozen=True)
class CorpusSpec:
    """What is known of a corpus before it is read; each module in `known` defines one."""

    name: str
    title: str
    homepage: str
    licence: str
    citation: str
    language: str
    clips: int  # in the whole corpus; 0 where there is no fixed number
    speakers: int
    emotions: Mapping[str, int]  # clips per emotion; 0 where the number is not published
    parse: Callable[[Path], Fields | None]  # of a path in the corpus; None for a foreign file
    note: str = ""  # a peculiarity to show beside figures of this corpus
    names: str = ""  # what file names consist of, with an example, for messages
    # Emotions that count as another one, unless the user asks for them by name.
    merges: Mapping[str, str] = field(default_factory=dict)
    # Reads the labels of corpora that keep them in other files: from the corpus folder and its
    # recordings. Then `parse` only recognises files of the corpus, and leaves the emotion empty.
    label: Callable[[Path, Sequence[Path]], Labels] | None = None
    source: Source | None = None  # where it can be downloaded freely
    obtain: str = ""  # otherwise, how to get it
    # Speakers of the train, validation and test part of a split that others published figures on.
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def read_name(self, path: Path) -> Fields | None:
        """What a path tells, however the accents in it are written; None for a foreign file."""
        # macOS writes them as letters of their own, which no pattern expects.
        if unicodedata.is_normalized("NFC", str(path)):
            return self.parse(path)
        return self.parse(Path(unicodedata.normalize("NFC", str(path))))

    @property
    def foreign(self) -> str:
        """The reason for leaving out a file whose name `parse` does not accept."""
        return f"its name is not one of {self.name}'s ({self.names})"


@dataclass(frozen=True)
class Corpus:
    """A corpus that was read: the clips that can be used, and the files that cannot."""

    name: str
    root: Path
    utterances: tuple[Utterance, ...]
    rejected: tuple[Rejected, ...] = ()
    spec: CorpusSpec | None = None
    warnings: tuple[str, ...] = field(default=())
    parts: tuple[Corpus, ...] = ()  # the corpora it is joined from
    copies: tuple[Utterance, ...] = ()  # left out: audio and labels equal those of a clip

    @property
    def sources(self) -> tuple[Corpus, ...]:
        """The corpora its clips come from: its parts, or the corpus itself."""
        return self.parts or (self,)

    @cached_property
    def emotions(self) -> tuple[str, ...]:
        """Class names in alphabetical order; the index of a class is its number everywhere."""
        return tuple(sorted({u.emotion for u in self.utterances}))

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        return tuple(sorted({u.speaker for u in self.utterances}))

    @cached_property
    def digest(self) -> str:
        """Eight characters that identify this exact set of clips and labels."""
        lines = sorted(f"{u.id}\t{u.emotion}\t{u.speaker}\t{u.digest}" for u in self.utterances)
        return sha256("\n".join(lines).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {n}" for name, n in sorted(self.counts().items()))
        people = len([name for name in self.speakers if name != UNKNOWN_SPEAKER])
        known = counted(people, "speaker") if people else "unknown speakers"
        return f"{self.name}: {counted(len(self.utterances), 'clip')}, {known}; {counts}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"

    def to_frame(self) -> Any:
        """The clips as a pandas DataFrame, a row for each: id, path, emotion, speaker, ...

        `start` and `end` are seconds, of segments alone; what is not known is empty.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        names = ("id", "path", "emotion", "speaker", "gender", "sentence", "take", "corpus")
        rows = [
            [*(str(getattr(one, name)) for name in names), *(one.span or (None, None)), one.digest]
            for one in self.utterances
        ]
        return data_frame([*names, "start", "end", "digest"], rows)

    def counts(self) -> Counter[str]:
        """Clips per emotion."""
        return Counter(u.emotion for u in self.utterances)

    def labels(self, utterances: Iterable[Utterance]) -> list[int]:
        """Class numbers of clips of this corpus."""
        number = {name: i for i, name in enumerate(self.emotions)}
        return [number[u.emotion] for u in utterances]


@dataclass(frozen=True)
class Fold:
    """One division into training, validation and test clips."""

    name: str
    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    def parts(self) -> dict[str, tuple[Utterance, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class Split:
    """The folds of a corpus."""

    name: str
    protocol: str  # one sentence, for tables
    folds: tuple[Fold, ...]
    tests_every_epoch: bool = False  # as others do who choose the best epoch on test data
    added: tuple[Corpus, ...] = ()  # other corpora, added to the training part of every fold
