"""Emozionalmente: 431 volunteers say 18 Italian sentences in seven emotions, at home.

File names are times in milliseconds, `audio/1612872848291.wav`. What they hold is in two
tables: `metadata/samples.csv` (file_name, actor, sentence, emotion_expressed) and
`metadata/users.csv` (username, gender). The label is the emotion that was asked for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from emelia.corpora.records import GENDERS, CorpusSpec, Fields, Labels
from emelia.corpora.sources import Zenodo
from emelia.emotions import canonical
from emelia.errors import CorpusError

_NAME = re.compile(r"\d{13}", re.ASCII)
_EMOTIONS = {"joy": "happiness", "neutrality": "neutral"}


def parse(path: Path) -> Fields | None:
    """Tell one of the corpus's files by its path."""
    # Telephones name recordings by the time, too.
    ours = path.parent.name == "audio" and _NAME.fullmatch(path.stem)
    return Fields("", "") if ours else None


def label(root: Path, files: Sequence[Path]) -> Labels:
    """Label recordings by the tables in the folder `metadata` beside theirs.

    Raises:
        CorpusError: the tables are missing or of another kind.
    """
    labels = Labels()
    tables: dict[Path, dict[str, Fields]] = {}
    for file in files:
        folder = (root / file).parent.parent / "metadata"
        if folder not in tables:
            tables[folder] = _samples(folder)
        if fields := tables[folder].get(file.stem):
            labels.fields[file] = fields
        else:
            labels.reasons[file] = "is not listed in metadata/samples.csv"
    return labels


def _samples(folder: Path) -> dict[str, Fields]:
    """What is known of each recording, by file name without suffix."""
    genders = {row["username"]: row["gender"] for row in _rows(folder / "users.csv")}
    found = {}
    for row in _rows(folder / "samples.csv"):
        emotion = row["emotion_expressed"].strip().lower()
        found[Path(row["file_name"]).stem] = Fields(
            _EMOTIONS.get(emotion) or canonical(emotion),
            row["actor"],
            row["sentence"].strip(),
            gender=GENDERS.get(genders.get(row["actor"], "").strip().lower(), ""),
        )
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    columns = {
        "samples.csv": {"file_name", "actor", "sentence", "emotion_expressed"},
        "users.csv": {"username", "gender"},
    }[path.name]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(
            f"{path}: cannot be read ({error}); it holds the labels of the recordings."
        ) from None
    if not rows or not columns <= rows[0].keys():
        raise CorpusError(
            f"{path}: expected a table with the columns {', '.join(sorted(columns))}."
        )
    return rows


SPEC = CorpusSpec(
    name="emozionalmente",
    title="Emozionalmente: a crowdsourced Italian speech emotional corpus",
    homepage="https://zenodo.org/records/6569824",
    licence="CC BY 4.0",
    citation=(
        "F. Catania, J. W. Wilke, F. Garzotto: Emozionalmente: A Crowdsourced Corpus of Simulated "
        "Emotional Speech in Italian. IEEE Transactions on Audio, Speech and Language Processing "
        "33, 2025, 1142-1155."
    ),
    language="Italian",
    clips=6902,
    speakers=431,
    emotions=dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 986
    ),
    parse=parse,
    label=label,
    source=Zenodo("6569824", ("*.zip",)),
    note="Labels are the emotions asked for; listeners recognised 66 % of them.",
    names="times in milliseconds beside a folder metadata, as in 'audio/1612872848291.wav'",
)
