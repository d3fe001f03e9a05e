"""Models side by side: each is timed, and the first is what the others are measured by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import ROOT

from emelia.use.bundled import shipped

pytest.importorskip("onnxruntime")


def test_models_are_compared_with_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import model_speed  # type: ignore[import-not-found]

    bench: Any = model_speed
    noise = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    monkeypatch.setattr(bench, "speech", lambda seconds, corpus: noise)
    file = tmp_path / "mine.onnx"
    file.write_bytes(shipped()["free"].read_bytes())
    table = bench.compare(["aesdd", str(file)], "demo", 2)
    (name, size, first, _, times, _), (other, _, second, _, ratio, _) = table.rows
    assert (name, other) == ("aesdd", "mine")
    assert times == "1.00" and float(size) == pytest.approx(
        shipped()["aesdd"].stat().st_size / 1e6, abs=0.1
    )
    assert float(ratio) == pytest.approx(float(second) / float(first), abs=0.03)
    assert table.columns[4] == "x aesdd"
