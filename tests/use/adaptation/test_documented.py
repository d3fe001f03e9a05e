"""What docs/adapt.md shows for ONNX Runtime alone gives the answers of a recognizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from toy_model import write_adaptable
from vowels import vowels

from emelia import load
from emelia.audio.speech.speech_runs import Run
from emelia.use import pooling


def test_ten_lines_of_numpy_adapt_a_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pooling, "speech_runs", lambda w: [Run(0, len(w))])
    write_adaptable(Path("model.onnx"))
    waves = [vowels(1.5, 100 + 20 * number) for number in range(4)]
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/adapt.md").read_text(), re.S)
    names: dict[str, Any] = {"waves": waves}
    exec(compile(block, "docs/adapt.md", "exec"), names)
    recognizer = load("model.onnx").adapt([(wave, 16_000) for wave in waves])
    assert recognizer.source is not None
    # A profile knows the means of groups of clips, not each clip.
    np.testing.assert_allclose(names["offset"], recognizer.source.offset(), atol=0.3)
    expected = [*recognizer.predict(waves[0], 16_000).probabilities.values()]
    np.testing.assert_allclose(names["adapted"], expected, atol=0.02)
