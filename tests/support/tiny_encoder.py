"""A pre-trained encoder small enough for tests: its weights are made and written on the spot."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from emelia.config import FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.learn.model.encoders import catalogue
from emelia.learn.model.encoders.catalogue import Pretrained
from emelia.learn.model.encoders.whisper import WhisperEncoder

NAME, BANDS, WIDTH, HEADS, BLOCKS = "tiny", 8, 8, 2, 3
FEATURES = FeatureConfig(mels=BANDS, scale="whisper", standardise="none")
SOLVED = Recipe(
    "solved",
    features=FEATURES,
    model=ModelConfig("encoder", encoder=NAME),
    train=TrainConfig(1, balance="corpora", refit=True),
)
TUNED = Recipe(
    "tuned",
    features=FEATURES,
    model=ModelConfig("encoder", encoder=NAME, blocks=2),
    train=TrainConfig(4, 0, 4, lr=0.02, refit=True, layer_decay=0.5),
)


def make_known(monkeypatch: pytest.MonkeyPatch, folder: Path, seed: int = 0) -> Path:
    """Make `tiny` a known encoder and our own as narrow; return the file of its weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = WhisperEncoder(BANDS, WIDTH, HEADS, BLOCKS).state_dict()
    data = save({key: value.half() for key, value in weights.items()})
    file = folder / "tiny.safetensors"
    folder.mkdir(exist_ok=True)
    file.write_bytes(data)
    known = Pretrained(
        BANDS, WIDTH, HEADS, BLOCKS, file.name, sha256(data).hexdigest(), "made here"
    )
    monkeypatch.setitem(catalogue.KNOWN, NAME, known)
    monkeypatch.setitem(catalogue.KNOWN, "mel", replace(known, blocks=2, reference=NAME))
    monkeypatch.setenv("EMELIA_WEIGHTS", str(folder))
    return file
