"""The table of docs/formats.md is true: each kind is written, and read as the page says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from emelia.audio import decode
from emelia.audio.heard import Heard

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "formats.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_formats", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a NamedTuple looks its annotations up there
    spec.loader.exec_module(module)
    return module


formats = load()


def test_the_page_has_the_rows_of_the_script() -> None:
    page = formats.PAGE.read_text(encoding="utf-8")
    assert list(formats.rows_of(page)) == [row.name for row in formats.ROWS]


@pytest.mark.parametrize("row", formats.ROWS, ids=lambda row: row.name)
def test_a_kind_of_file_is_read_as_the_page_says(row: tuple[str, ...], tmp_path: Path) -> None:
    told = formats.rows_of(formats.PAGE.read_text(encoding="utf-8"))[row.name]
    path = tmp_path / f"tone{row.suffix}"
    if not formats.write(row, path):
        pytest.skip("no writer of this kind is installed")
    if told.by == "PyAV":
        pytest.importorskip("av")
    assert formats.read(path) == told
    heard = Heard()
    wave, rate = decode(path, heard=heard)
    assert rate >= 8000 and wave.size / rate == pytest.approx(formats.SECONDS, abs=0.15)
    assert 0.3 < np.abs(wave).max() < 0.5
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() * rate / wave.size == pytest.approx(300, abs=3)
    assert not heard.warnings
