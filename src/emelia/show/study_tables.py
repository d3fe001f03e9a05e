"""All tables of a study, in their order."""

from __future__ import annotations

from emelia.results import Study
from emelia.show import calibration_tables, differences, tables
from emelia.show.tables import Table


def all_tables(study: Study) -> list[Table]:
    """The main table and, where there is something to tell, the others."""
    found = (
        tables.main(study),
        tables.speakers(study),
        tables.pairs(study),
        calibration_tables.table(study),
        *differences.tables(study),
    )
    return [table for table in found if table.rows]
