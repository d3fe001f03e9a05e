"""Tables of studies, searches and looks at a corpus fit the terminal, with every name whole."""

from __future__ import annotations

import fake_study
import pytest

from emelia.results import studies
from emelia.show.explore.tables import COMPARED
from emelia.show.process.tables import CHAIN
from emelia.show.report.study_tables import all_tables
from emelia.table import Table

STUDY = studies(fake_study.study(fake_study.loso(fake_study.utterances()), [*fake_study.RECIPES]))
TUNED = Table(
    "Best settings found",
    ("setting", "recipe", "best", "importance %"),
    [("spec_augment.frequency_width", "0.0005", "0.00123", "41.0"), ("train.mixup", "0", "1", "–")],
)
EXPLORED = Table(
    "By emotion",
    ("emotion", "clips", "share %", "minutes", *(f"{c[1]} {c[2]}" for c in COMPARED)),
    [("happiness", "1,480", "20.0", "112.2", "1.53", "-23.0", "43.4", "205", "6.8", "4.7")],
)  # fmt: skip
PROCESSED = Table(
    "What each step changes",
    ("step", "s", "level dB", "peak dB", "SNR dB"),
    [("noise reduced, founding study's", *["-12.5 (-14.9 to -10.2)"] * 4)],
    CHAIN,
)


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("table", [*all_tables(STUDY[0]), TUNED, EXPLORED, PROCESSED],
                         ids=lambda table: table.title)  # fmt: skip
def test_a_table_fits_and_no_name_or_number_is_broken(table: Table, width: int) -> None:
    lines, left_out = table.lines(width)
    assert max(map(len, lines)) <= width
    shown = " ".join(lines).split()
    for row in table.rows:
        for name, cell in zip(table.columns, row, strict=True):
            assert name in left_out or all(word in shown for word in cell.split()), (name, cell)
    assert set(left_out) <= set(table.spare)
