"""Precision of training: what `auto` comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from emelia.errors import ConfigError
from emelia.learn.training import hardware
from emelia.learn.training.hardware import Hardware, multiplies_bfloat16


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("fpu avx512f avx512_bf16", True),
        ("fpu amx_bf16 amx_tile", True),
        ("fpu avx2", False),
        ("avx512_bf16x", False),
    ],
)
def test_bfloat16_is_found_among_the_flags(tmp_path: Path, flags: str, wanted: bool) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert multiplies_bfloat16(info) is wanted


def test_a_processor_of_which_nothing_is_told_has_none(tmp_path: Path) -> None:
    assert not multiplies_bfloat16(tmp_path / "none")


@pytest.mark.parametrize(("there", "wanted"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_takes_what_the_processor_has(
    there: bool, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "multiplies_bfloat16", lambda: there)
    made = Hardware(precision="auto")
    assert made.used_precision == wanted
    assert made.fabric()._precision.precision == wanted
    assert Hardware(precision="32-true").used_precision == "32-true"


def test_another_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="'half' is none of auto, 32-true, bf16-mixed"):
        Hardware(precision="half").fabric()
