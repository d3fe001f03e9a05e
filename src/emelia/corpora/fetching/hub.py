"""Data sets of the Hugging Face hub, as far as fetching them goes."""

from __future__ import annotations

from emelia.audio.files import SUFFIXES
from emelia.corpora.fetching.http import get_json
from emelia.corpora.paths import local_name
from emelia.corpora.records import CorpusSpec
from emelia.corpora.sources import HuggingFace
from emelia.errors import CorpusError

_TABLES = ("*.parquet", "*.arrow", "*dataset_info.json", "*metadata.csv", "*metadata.jsonl")
_WANTED = (*_TABLES, *(f"*{suffix}" for suffix in SUFFIXES))


def hub_spec(name: str, home: str = "https://huggingface.co") -> CorpusSpec:
    """What the hub tells of a data set `OWNER/NAME`, enough to fetch it.

    Raises:
        CorpusError: there is no such data set, or no network.
    """
    if name.count("/") != 1 or not all(name.split("/")):
        raise CorpusError(f"hf:{name}: expected hf:OWNER/NAME.")
    card = get_json(f"{home}/api/datasets/{name}").get("cardData") or {}
    licence = card.get("license") or "none is published with it"
    return CorpusSpec(
        name=local_name(name),
        title=f"{name} on the Hugging Face hub",
        home=f"{home}/datasets/{name}",
        licence=licence if isinstance(licence, str) else ", ".join(map(str, licence)),
        citation=f"{home}/datasets/{name}",
        language="",
        clips=0,
        speakers=0,
        emotions={},
        parse=lambda path: None,
        source=HuggingFace(name, _WANTED, home),
    )
