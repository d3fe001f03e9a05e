"""Where the segments of each recording of a scoring are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.storage import ensure_writable, write_atomically
from emelia.use.formats import FORMATS
from emelia.use.inputs import Recording, path_of
from emelia.use.timeline.timeline import Timeline


@dataclass(frozen=True)
class SegmentFiles:
    """A folder with a CSV a recording, in folders as the recordings lie.

    Attributes:
        folder: where they go.
        root: the innermost folder that holds all recordings.
    """

    folder: Path
    root: str

    @classmethod
    def of(cls, folder: Path, asked: Sequence[Recording]) -> SegmentFiles:
        """The files for some recordings.

        Raises:
            StorageError: the folder cannot be written.
        """
        ensure_writable(folder)
        folders = {os.path.dirname(os.path.abspath(path_of(one))) for one in asked}
        return cls(folder, os.path.commonpath(folders))

    def file(self, recording: str) -> Path:
        """The file of a recording: `talks/a.mp3` -> `FOLDER/a.mp3.csv`."""
        # With its suffix: a folder may hold a.wav and a.mp3.
        return self.folder / f"{os.path.relpath(os.path.abspath(recording), self.root)}.csv"

    def there(self, recording: str) -> bool:
        """Whether the segments of a recording have been written."""
        return self.file(recording).is_file()

    def write(self, recording: str, timelines: Sequence[Timeline]) -> None:
        """Write the segments of a recording, of all its channels.

        Raises:
            StorageError: it cannot be written.
        """
        kind = FORMATS["csv"]
        text = kind.header(timelines[0].emotions) + "".join(map(kind.write, timelines))
        write_atomically(self.file(recording), text.encode(errors="replace"))
