"""Speakers, sentences and sessions with the name of an emotion are not taken for classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from emelia.cli import app
from emelia.corpora.reading.folders import read_folders
from emelia.corpora.records import UNKNOWN_SPEAKER, Labels

MOODS = {"angry": "anger", "sad": "sadness", "neutral": "neutral"}
PEOPLE = ("Anna", "Joy", "José María", "Li")
TWO_EMOTIONS = "have two words in their path that may be the emotion"


def grid(pattern: str, **values: Iterable[object]) -> list[str]:
    """Every combination: `grid("{e}/{s}_{n}.wav", e=("angry", "sad"), s=(1, 2), n=(1, 2))`."""
    return [
        pattern.format(**dict(zip(values, one, strict=True))) for one in product(*values.values())
    ]


def read(names: Iterable[str]) -> Labels:
    return read_folders([Path(name) for name in names])


def counts(labels: Labels) -> Counter[str]:
    return Counter(fields.emotion for fields in labels.fields.values())


def speakers(labels: Labels) -> set[str]:
    return {fields.speaker for fields in labels.fields.values()}


def note(labels: Labels, words: str) -> str:
    (found,) = [one for one in labels.notes if words in one]
    assert "\n" not in found
    return found


LAYOUTS = (
    "{e}/{p}/{n}.ogg",
    "{p}/{e}/{n}.ogg",
    "{p}/{e}_{n}.ogg",
    "{p}/{n}-{e}.ogg",
    "{p}_{e}_{n}.ogg",
    "{p}_{n}_{e}.ogg",
    "{p}_happy birthday_{e}_{n}.ogg",
    "{e}/{p}_{n}.ogg",
    "train/{e}/{p}/{n}.ogg",
    "data/{p}/day1/{e}/{n}.ogg",
    "{p}/day1/{e}_{n}.ogg",
)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "people",
    [
        PEOPLE,
        ("Anna", "Joy"),
        ("Happy", "Joy"),
        ("Calm", "Li", "Ann", "Bo"),
        ("Surprise", "Happy", "Li", "Bo", "Ann"),
        ("Calm Speaker", "Anna", "Li"),
    ],
)
def test_people_may_be_called_like_emotions(layout: str, people: tuple[str, ...]) -> None:
    labels = read(grid(layout, e=MOODS, p=people, n="123"))
    each = 3 * len(people)
    assert counts(labels) == dict.fromkeys(MOODS.values(), each) and not labels.reasons
    assert speakers(labels) == set(people)


@pytest.mark.parametrize("layout", LAYOUTS[:6])
def test_a_word_that_was_not_taken_is_told_with_the_way_out(layout: str) -> None:
    said = note(read(grid(layout, e=MOODS, p=PEOPLE, n="123")), TWO_EMOTIONS)
    assert "9 of 36" in said and "Joy is taken for a name" in said and "manifest.csv" in said


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_told_where_no_word_is_in_question(layout: str) -> None:
    layout = layout.replace("happy birthday", "good day")
    notes = read(grid(layout, e=MOODS, p=("Anna", "Felicity"), n="123")).notes
    assert not [one for one in notes if "manifest" in one]


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (grid("{p}/{s}/{e}/{n}.wav", p=PEOPLE, s=("neutral", "day2"), e=MOODS, n="12"), PEOPLE),
        (grid("{p}/neutral/{e}/{n}.wav", p=PEOPLE, e=MOODS, n="12"), PEOPLE),
        (grid("{s}/{p}/{e}/{n}.wav", p=PEOPLE, s=("neutral", "day2"), e=MOODS, n="12"), PEOPLE),
        (grid("{e}/{s}/{p}_{n}.wav", p=PEOPLE, s=("neutral", "day2"), e=MOODS, n="12"), PEOPLE),
        (grid("{p}/{e}/{s}/{n}.wav", p=PEOPLE, s=("surprise", "door"), e=MOODS, n="12"), PEOPLE),
        (grid("{p}_{s}_{e}.wav", p=PEOPLE, s=("surprise", "door", "dogs"), e=MOODS), PEOPLE),
        (grid("Joy/data/{e}/{p}/{n}.wav", p=PEOPLE, e=MOODS, n="12"), PEOPLE),
    ],
)
def test_sessions_and_sentences_may_be_called_like_emotions(
    names: list[str], who: tuple[str, ...]
) -> None:
    labels = read(names)
    assert counts(labels) == dict.fromkeys(MOODS.values(), len(names) // 3)
    assert speakers(labels) == set(who)
    assert "manifest.csv" in note(labels, TWO_EMOTIONS)


@pytest.mark.parametrize(
    "names",
    [
        grid("{a}/{b}/{n}.wav", a=MOODS, b=MOODS, n="12"),
        grid("{a}/{b}_{n}.wav", a=MOODS, b=MOODS, n="12"),
        grid("{a}_{b}_{n}.wav", a=MOODS, b=MOODS, n="12"),
        grid("{a}/{b}/{n}.wav", a=("calm", "stressed"), b=("Joy", "Anna"), n="12"),
        grid("{a}/{b}_{n}.wav", a=("Joy", "Calm"), b=MOODS, n="12"),
    ],
)
def test_where_two_places_may_tell_the_emotion_both_are_told(names: list[str]) -> None:
    said = note(read(names), TWO_EMOTIONS)
    assert "may be it too" in said and "manifest.csv" in said


def test_a_name_that_is_one_of_several_emotions_is_not_a_speaker() -> None:
    labels = read(grid("{a}/{b}/{n}.wav", a=MOODS, b=MOODS, n="12"))
    assert speakers(labels) == {UNKNOWN_SPEAKER}


def test_people_alone_are_no_emotions_in_silence() -> None:
    assert "Only happiness of 4 classes" in note(
        read(grid("{p}/{n}.ogg", p=PEOPLE, n="12")), "Only"
    )
    flat = read(grid("{p}_{n}.ogg", p=PEOPLE, n="12"))
    assert "Only 2 of 8 recordings" in note(flat, "left out")


def test_a_label_of_ones_own_keeps_the_person_inside_it() -> None:
    labels = read(grid("{e}/{p}/{n}.ogg", e=(*MOODS, "stressed"), p=PEOPLE, n="12"))
    assert counts(labels) == dict.fromkeys((*MOODS.values(), "stressed"), 8)


def test_an_emotion_that_lies_deeper_than_others_counts_and_is_told() -> None:
    names = [*grid("{s}/{e}/{n}.wav", s=("one", "two"), e=MOODS, n="12"), "new/deep/sad/x/1.wav"]
    labels = read(names)
    assert labels.fields[Path("new/deep/sad/x/1.wav")].emotion == "sadness"
    assert "new/deep/sad/x/1.wav is read as sadness" in note(labels, "at another place")
    people = grid("{p}_{e}_{n}.wav", p=("joy", "anna"), e=MOODS, n="12")
    flat = read([*people, "ben_li_happy_x_y.wav"])
    assert "ben_li_happy_x_y.wav is read as happiness" in note(flat, "at another place")


def test_the_only_emotion_in_a_name_counts_wherever_it_stands() -> None:
    labels = read(["s1_happy.wav", "sad_ben.wav", "a_b_c_angry_d.wav"])
    assert counts(labels) == {"happiness": 1, "sadness": 1, "anger": 1}


def test_folders_of_different_depth_tell_as_before() -> None:
    labels = read(["a/angry/1.wav", "sad/1.wav", "b/c/happy/1.wav", "a/sad/2.wav"])
    assert counts(labels) == {"anger": 1, "sadness": 2, "happiness": 1}


def test_a_person_is_no_emotion_where_a_name_tells_none() -> None:
    labels = read(grid("{p}_{e}_{n}.ogg", p=("joy", "anna"), e=(*MOODS, "laugh"), n="12"))
    assert counts(labels) == dict.fromkeys(MOODS.values(), 4)
    reason = labels.reasons[Path("joy_laugh_1.ogg")]
    assert "happiness only where others tell something else" in reason


def test_the_command_line_counts_joys_recordings_as_what_they_are(tmp_path: Path) -> None:
    for seed, name in enumerate(grid("{e}/{p}/{n}.wav", e=MOODS, p=PEOPLE, n="12")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        noise = 0.1 * np.random.default_rng(seed).standard_normal(1600)
        soundfile.write(tmp_path / name, noise, 16_000)
    said = CliRunner().invoke(app, ["corpora", str(tmp_path)])
    assert said.exit_code == 0 and "happiness" not in said.output
    assert "Joy is taken for a name" in " ".join(said.output.split())
