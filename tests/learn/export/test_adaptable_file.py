"""An exported encoder with a source space is a model that can be adapted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_encoder
import torch
from toy_model import CARD
from vowels import vowels

from emelia import load
from emelia.audio.speech.speech_runs import Run
from emelia.learn.export.graph import Graph
from emelia.learn.export.modelfile import to_onnx, with_card
from emelia.learn.training.runs import new_network
from emelia.learn.training.source_space import SourceSpace
from emelia.use import pooling

SIZE = 3  # coordinates


@pytest.mark.slow  # torch exports for a minute
def test_an_offset_shifts_the_answers_of_an_exported_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "speech_runs", lambda w: [Run(0, len(w))])
    tiny_encoder.make_known(monkeypatch, tmp_path / "weights")
    torch.manual_seed(0)
    recipe = tiny_encoder.SOLVED
    network = new_network(recipe, len(CARD.labels)).eval()
    width = network.output.weight.shape[1]  # type: ignore[union-attr, index]
    directions = torch.linalg.qr(torch.randn(width, SIZE))[0].T
    means = torch.randn(len(CARD.labels), SIZE)
    space = SourceSpace(
        torch.zeros(width), directions, directions.T.contiguous(), means, torch.full((SIZE,), 4.0)
    )
    told = {
        "means": means.tolist(), "variances": [4.0] * SIZE, "temperature": 1.0, "threshold": 0.3,
    }  # fmt: skip
    card = replace(CARD, features=recipe.features, audio=recipe.audio, adaptation=told)
    file = tmp_path / "tiny.onnx"
    file.write_bytes(with_card(to_onnx(Graph(recipe, network, 1.0, space)), card))
    clips = [(vowels(1.5, 100 + 20 * number), 16_000) for number in range(4)]
    plain = load(file)
    adapted = plain.adapt(clips)
    assert adapted.source is not None and adapted.source.offset().any()
    wave = clips[0][0]
    offset = adapted.source.offset()
    (expected,) = plain._model.run([wave], offset)
    answer = adapted.predict(clips[0])
    np.testing.assert_allclose([*answer.probabilities.values()], expected.probabilities, atol=1e-5)
    assert answer.adapted == 4 and answer.coordinates is not None
