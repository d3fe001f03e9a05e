"""Audio classifiers of Hugging Face are stressed as our own models are.

.venv/bin/python -m pytest tests/robustness/test_hub_models.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from vowels import vowels

from emelia.errors import ConfigError, ModelError
from emelia.packages import package
from emelia.robustness.listeners import Asked, listener

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny wav2vec 2.0 with random weights, and labels that need a map."""
    import torch

    place = tmp_path_factory.mktemp("hub") / "tiny"
    hub = package("transformers")
    torch.manual_seed(0)
    config = hub.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 8), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8,
        id2label={0: "ang", 1: "hap", 2: "mirth"}, label2id={"ang": 0, "hap": 1, "mirth": 2},
    )  # fmt: skip
    hub.Wav2Vec2ForSequenceClassification(config).save_pretrained(place)
    hub.Wav2Vec2FeatureExtractor().save_pretrained(place)
    return place


def test_a_pipeline_answers_with_emotions(folder: Path) -> None:
    names = {"ang": "anger", "hap": "happiness", "mirth": "happiness"}
    found = listener(Asked(f"hf:{folder}", tuple(names.items())))
    assert found.name == "tiny" and found.classes == ("anger", "happiness")
    assert found.threshold is None
    told = list(found.answers([vowels(0.5), vowels(0.7)]))
    assert all(sum(one.probabilities) == pytest.approx(1, abs=1e-4) for one in told)
    assert all(one.answer == max(range(2), key=one.probabilities.__getitem__) for one in told)
    assert not any(one.unsure for one in told)


def test_labels_and_folders_that_are_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no label sad; it has ang, hap, mirth"):
        listener(Asked(f"hf:{folder}", (("sad", "sadness"),)))
    with pytest.raises(ModelError, match="no such folder"):
        listener(Asked(f"hf:{tmp_path / 'none'}"))
    with pytest.raises(ModelError, match="no audio classifier"):
        listener(Asked(f"hf:{tmp_path}"))
