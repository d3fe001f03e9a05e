"""Results of a study: cells on disk, and the rows, studies and figures made from them."""

from emelia.results.architecture import Architecture, Layer
from emelia.results.calibration import Calibration
from emelia.results.cells import Cell, read_results
from emelia.results.differences import Difference, differences, variant_of
from emelia.results.rows import Row
from emelia.results.studies import Pair, Study, studies, summarise

__all__ = [
    "Architecture",
    "Calibration",
    "Cell",
    "Difference",
    "Layer",
    "Pair",
    "Row",
    "Study",
    "differences",
    "read_results",
    "studies",
    "summarise",
    "variant_of",
]
