"""What is kept of a source: exact in any order, checked when read, enough to find its offset."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_model import CARD, LABELS

from emelia.config import Card
from emelia.errors import ConfigError, ModelError
from emelia.source_offset import Space, estimate
from emelia.use.adaptation.profile import read_profile, write_profile
from emelia.use.adaptation.source import FEWEST, SourceProfile

Places = NDArray[np.float64]
RNG = np.random.default_rng(3)
MEANS = np.concatenate([4 * np.eye(4), np.zeros((4, 2))], axis=1)  # (C, K)
OFFSET = np.array([0.5, -1.0, 1.0, 0.0, 6.0, -5.0])
ADAPTATION = {
    "means": MEANS.tolist(),
    "variances": [1.0, 1.0, 1.0, 1.0, 30.0, 30.0],
    "temperature": 1.0,
    "threshold": 0.3,
}
ADAPTABLE = replace(CARD, adaptation=ADAPTATION)


def clips(counts: list[int], offset: Places = OFFSET) -> Places:
    """Places of so many clips of each class, in a source with an offset."""
    rows = MEANS[np.repeat(np.arange(4), counts)]
    return np.asarray(rows + offset + RNG.standard_normal(rows.shape))


def profile_of(places: Places, card: Card = ADAPTABLE, emotion: str = "") -> SourceProfile:
    profile = SourceProfile(card)
    for place in places:
        profile.add(place, emotion)
    return profile


@pytest.mark.parametrize("counts", [[10, 10, 10, 10], [36, 2, 1, 1], [40, 0, 0, 0]])
def test_the_offset_is_found_whatever_the_mix_of_emotions(counts: list[int]) -> None:
    places = clips(counts)
    found = estimate(Space.of(ADAPTATION), places)
    assert np.abs(found - OFFSET).max() < 1
    groups = profile_of(places).offset()  # sums of groups tell nearly what the clips do
    assert np.abs(groups - found).max() < 0.25


def test_clips_of_known_emotion_count_fully() -> None:
    """Without a label, clips that lie where another emotion does are taken for that one."""
    moved = np.array([-4.0, 4.0, 0, 0, 0, 0])  # brings the first class to where the second is
    places = clips([10, 0, 0, 0], moved)
    plain, told = profile_of(places), profile_of(places, emotion="anger")
    assert np.abs(plain.offset()).max() < 1
    np.testing.assert_allclose(told.offset()[:2], moved[:2] * 10 / 11, atol=0.5)
    with pytest.raises(ConfigError, match="'joy' is no emotion of toy"):
        told.add(places[0], "joy")


def test_sources_are_the_same_in_whatever_order_clips_come(tmp_path: Path) -> None:
    places = clips([7, 5, 3, 9])
    whole, first, second = profile_of(places), SourceProfile(ADAPTABLE), SourceProfile(ADAPTABLE)
    for place in RNG.permutation(places):
        (first if RNG.random() < 0.4 else second).add(place)
    second.merge(first)
    files = tmp_path / "a.json", tmp_path / "b.json"
    for file, profile in zip(files, (whole, second), strict=True):
        write_profile(file, profile)
    assert files[0].read_bytes() == files[1].read_bytes()
    back = read_profile(files[0], ADAPTABLE)
    assert back.clips == 24
    np.testing.assert_array_equal(back.offset(), whole.offset())


def test_too_few_clips_change_nothing() -> None:
    profile = profile_of(clips([FEWEST - 1, 0, 0, 0]))
    assert not profile.enough and not profile.offset().any()
    profile.add(clips([1, 0, 0, 0])[0])
    assert profile.enough and profile.offset().any()


def test_a_source_that_changes_is_followed_and_a_copy_is_its_own() -> None:
    profile = profile_of(clips([25, 25, 25, 25]))
    copy = profile.copy()
    for place in clips([25, 25, 25, 25], -OFFSET):
        profile.add(place, half_life=20)
    assert np.abs(profile.offset() + OFFSET).max() < 1.5
    assert profile.clips < 35  # 20 / ln 2 for a stream without end
    assert copy.clips == 100 and np.abs(copy.offset() - OFFSET).max() < 1


def test_a_window_counts_as_the_part_of_a_clip_that_it_is() -> None:
    profile = SourceProfile(ADAPTABLE)
    for place in clips([8, 0, 0, 0]):
        profile.add(place, weight=1 / 3)
    assert profile.clips == 3


def test_a_model_that_cannot_be_adapted_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"toy: this model cannot be adapted .*`emelia models`"):
        SourceProfile(CARD)


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    """The text of a good file, changed."""
    told = {
        "emelia_source": 1, "model": "toy", "recipe_digest": "",
        "space": SourceProfile(ADAPTABLE).digest,
        "labels": list(LABELS), "unit": 65536,
        "groups": [{"known": "fear", "count": 65536, "sum": [0] * 6},
                   {"nearest": ["fear", "anger"], "count": 65536, "sum": [0] * 6}],
    }  # fmt: skip
    change(told)
    return json.dumps(told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not the file of a source"),
        ("[1]", "not the file of a source"),
        ('{"a": 1}', "not the file of a source"),
        ("[" * 100_000, "not the file of a source"),
        (edited(lambda t: t.update(emelia_source=2)), "has schema 2"),
        (edited(lambda t: t.update(model="best")), "made for the model best"),
        (edited(lambda t: t.update(space="0" * 16)), "made for the model toy"),
        (edited(lambda t: t.update(labels=["anger", "fear"])), "made for the model"),
        (edited(lambda t: t.update(groups=5)), "damaged"),
        (edited(lambda t: t["groups"].append(7)), "damaged"),
        (edited(lambda t: t["groups"].append(t["groups"][0])), "damaged"),
        (edited(lambda t: t["groups"][0].update(known="joy")), "damaged"),
        (edited(lambda t: t["groups"][1].update(nearest=["fear"])), "damaged"),
        (edited(lambda t: t["groups"][0].update(sum=[0])), "damaged"),
        (edited(lambda t: t["groups"][0].update(count=0)), "damaged"),
        (edited(lambda t: t["groups"][0].update(count=True)), "damaged"),
        (edited(lambda t: t["groups"][0].update(count=10**20)), "damaged"),
        (edited(lambda t: t["groups"][0].update(sum=[float("nan")] * 6)), "damaged"),
        (edited(lambda t: t["groups"][0].update(sum=[10**18] * 6)), "damaged"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    text: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "office.json"
    file.write_text(text)
    with pytest.raises(ModelError) as refused:
        read_profile(file, ADAPTABLE)
    assert words in str(refused.value) and "\n" not in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_missing_file_is_named_and_a_good_one_read(tmp_path: Path) -> None:
    file = tmp_path / "office.json"
    with pytest.raises(ModelError, match=r"office\.json: cannot be read .*emelia adapt FOLDER"):
        read_profile(file, ADAPTABLE)
    file.write_text(edited(lambda _: None))
    assert read_profile(file, ADAPTABLE).clips == 2
