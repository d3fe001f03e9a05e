"""What is asked together is answered as it is alone, to the last bit, by all that ships.

.venv/bin/python -m pytest tests/use/test_recognizer_batches.py
"""

from __future__ import annotations

import numpy as np
import pytest
from vowels import vowels

from emelia import load
from emelia.use.bundled import shipped


@pytest.mark.parametrize("name", shipped())
def test_an_answer_does_not_depend_on_what_else_is_asked(name: str) -> None:
    model = load(name)
    sounds = [vowels(seconds) for seconds in (1.2, 1.3, 3.9)]
    together = model.probabilities(sounds)
    alone = np.concatenate([model.probabilities([sound]) for sound in sounds])
    np.testing.assert_allclose(together, alone, atol=0 if model.card.variant == "int8" else 1e-5)
