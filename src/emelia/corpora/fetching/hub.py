"""Data sets of the Hugging Face hub, described as a corpus that can be downloaded.

The hub's file list is one JSON answer, so the package huggingface_hub, which only the extra
`transfer` installs, is not needed.
"""

from __future__ import annotations

from emelia.audio.files import MEDIA, SOUND
from emelia.corpora.fetching.http import get_json
from emelia.corpora.paths import folder_name
from emelia.corpora.records import CorpusSpec
from emelia.corpora.sources import HuggingFace
from emelia.errors import CorpusError

_TABLES = ("*.parquet", "*.arrow", "*dataset_info.json", "*metadata.csv", "*metadata.jsonl")
_WANTED = (*_TABLES, *(f"*{suffix}" for suffix in (*SOUND, *MEDIA)))


def hub_spec(name: str, host: str = "https://huggingface.co") -> CorpusSpec:
    """Describe a data set `OWNER/NAME` as the hub does: its licence and its files.

    Raises:
        CorpusError: there is no such data set, or no network.
    """
    if name.count("/") != 1 or not all(name.split("/")):
        raise CorpusError(f"hf:{name}: expected hf:OWNER/NAME.")
    card = get_json(f"{host}/api/datasets/{name}").get("cardData") or {}
    licence = card.get("license") or "none is published with it"
    return CorpusSpec(
        name=folder_name(name),
        title=f"{name} on the Hugging Face hub",
        homepage=f"{host}/datasets/{name}",
        licence=licence if isinstance(licence, str) else ", ".join(map(str, licence)),
        citation=f"{host}/datasets/{name}",
        language="",
        clips=0,
        speakers=0,
        emotions={},
        parse=lambda path: None,
        source=HuggingFace(name, _WANTED, host),
    )
