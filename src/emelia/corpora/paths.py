"""Where corpora lie that are known by name: below EMELIA_CORPORA, or where they are fetched to."""

from __future__ import annotations

import os
from pathlib import Path

from emelia.caches import lasting_cache
from emelia.storage import expanded


def fetch_folder() -> Path:
    """The folder that gets what is fetched: $EMELIA_CORPORA, or one in the cache folder."""
    chosen = os.environ.get("EMELIA_CORPORA")
    return expanded(chosen) if chosen else lasting_cache() / "corpora"


def local_name(name: str) -> str:
    """The name of the folder a data set `OWNER/NAME` of the Hugging Face hub is fetched to."""
    return name.replace("/", "--")


def home_of(name: str) -> Path | None:
    """The folder of a corpus, if it is on this disk."""
    folders = (fetch_folder(), lasting_cache() / "corpora")
    return next((folder / name for folder in folders if (folder / name).is_dir()), None)
