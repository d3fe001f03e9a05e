"""Folders of the corpora known by name: below EMELIA_CORPORA, or below the cache folder."""

from __future__ import annotations

import os
from pathlib import Path

from emelia.caches import persistent_cache
from emelia.storage import expanded


def download_folder() -> Path:
    """The folder corpora are downloaded into: $EMELIA_CORPORA, or one in the cache folder."""
    chosen = os.environ.get("EMELIA_CORPORA")
    return expanded(chosen) if chosen else persistent_cache() / "corpora"


def folder_name(name: str) -> str:
    """The folder name for a data set `OWNER/NAME` of the Hugging Face hub: `OWNER--NAME`."""
    return name.replace("/", "--")


def corpus_folder(name: str) -> Path | None:
    """The folder of a corpus on this disk; None where it is not here."""
    folders = (download_folder(), persistent_cache() / "corpora")
    return next((folder / name for folder in folders if (folder / name).is_dir()), None)
