"""Finding speakers and emotions by the names of folders and files."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from emelia.cli import app
from emelia.corpora import CORPORA, read_corpus
from emelia.corpora.known.english import ravdess
from emelia.corpora.reading.folders import emotion_in, read_folders
from emelia.corpora.reading.speaker_names import is_no_speaker, is_numbered_speaker, speaker_in
from emelia.corpora.records import UNKNOWN_SPEAKER, Labels
from emelia.corpora.splits.scheme import possible_splits
from emelia.errors import ConfigError, CorpusError


def read(names: Iterable[str]) -> Labels:
    return read_folders([Path(name) for name in names])


def speakers(names: Iterable[str]) -> set[str]:
    return {fields.speaker for fields in read(names).fields.values()}


def emotions(names: Iterable[str]) -> set[str]:
    return {fields.emotion for fields in read(names).fields.values()}


def grid(pattern: str, **values: Iterable[object]) -> list[str]:
    """Every combination: `grid("{e}/{s}_{n}.wav", e=("angry", "sad"), s=(1, 2), n=(1, 2))`."""
    return [
        pattern.format(**dict(zip(values, one, strict=True))) for one in product(*values.values())
    ]


MOODS = ("angry", "sad")
NUMBERS = [f"{n:03}" for n in range(12)]


# Who speaks


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (grid("{e}/{s}_{n}.wav", e=MOODS, s="123", n=(1, 2)), {"1", "2", "3"}),
        (grid("{e}/{s}_{n}.wav", e=MOODS, s=("anna", "ben"), n=(1, 2)), {"anna", "ben"}),
        (grid("{e}/{s}_{n}.wav", e=MOODS, s=("s1", "s2", "s3"), n="12"), {"s1", "s2", "s3"}),
        (grid("{e}/speaker{s}_x.wav", e=MOODS, s="12"), {"speaker1", "speaker2"}),
        (grid("{e}/{e}_{s}_{n}.wav", e=MOODS, s=("spk1", "spk2"), n="1"), {"spk1", "spk2"}),
        (grid("{s}/{e}/{n}.wav", e=MOODS, s=("spk0", "spk1"), n=NUMBERS), {"spk0", "spk1"}),
        (grid("{s}/{e}/{n}.wav", e=MOODS, s=("anna", "ben"), n=NUMBERS), {"anna", "ben"}),
        (grid("{s}/{e}/{n}.wav", e=MOODS, s=("0001", "0002"), n="1"), {"0001", "0002"}),
        (grid("{s}/day1/{e}/{n}.wav", e=MOODS, s=("anna", "ben"), n="1"), {"anna", "ben"}),
        (grid("{e}/{s}/{n}.wav", e=MOODS, s=("anna", "ben"), n=NUMBERS), {"anna", "ben"}),
        (grid("{p}/{e}/{s}_{n}.wav", p=("train", "test"), e=MOODS, s="12", n="ab"), {"1", "2"}),
        (grid("train/{s}/{e}.wav", e=MOODS, s=("anna", "ben")), {"anna", "ben"}),
        (grid("all/{e}_Speaker-{s}_{n}.wav", e=MOODS, s="AB", n="12"), {"Speaker-A", "Speaker-B"}),
    ],
)
def test_people_are_found(names: list[str], who: set[str]) -> None:
    assert speakers(names) == who


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (grid("{e}/{n}_{e}.wav", e=MOODS, n=NUMBERS), "running numbers"),
        (grid("{e}/{n}_{e}.wav", e=(*MOODS, "happy"), n="1234"), "running numbers"),
        (grid("{p}/{e}/{n}_{e}.wav", p=("a", "copy"), e=MOODS, n=NUMBERS), "running numbers"),
        (["angry/000_x.wav", *grid("{e}/{n}_x.wav", e=MOODS, n=NUMBERS[1:])], "running numbers"),
        (grid("{e}/s{n}_{e}.wav", e=MOODS, n=NUMBERS), "running numbers"),
        (grid("{p}/{e}/{n}_{p}.wav", p=("train", "test"), e=MOODS, n=NUMBERS), "running numbers"),
        (grid("{e}/{n}/sound.wav", e=MOODS, n=NUMBERS), "running numbers"),
        (grid("{e}/{w}_x.wav", e=MOODS, w=("kids", "dogs", "door")), "sentences"),
        (grid("{e}/rec_{n}.wav", e=MOODS, n=NUMBERS), "begin with rec_"),
        (grid("{e}/2026{d}_{n}.wav", e=MOODS, d=("0301", "0302"), n="12"), "20260301"),
        (grid("{e}/2026_03_{d}_{n}.wav", e=MOODS, d=("01", "02"), n="12"), "2026"),
        (grid("{e}/take{t}_{n}.wav", e=MOODS, t="12", n="12"), "take1"),
        (grid("{p}/{e}/{n}.wav", p=("train", "test"), e=MOODS, n="12"), "is not a speaker"),
        (grid("{e}/{p}/{n}.wav", p=("strong", "normal"), e=MOODS, n="12"), "is not a speaker"),
        (grid("{e}/{n}.wav", e=MOODS, n=NUMBERS), "Neither"),
        (["angry/at_home/1.wav", "angry/at_work/1.wav", "sad/c/1.wav", "sad/d/2.wav"], "with one"),
    ],
)
def test_names_that_may_not_be_speakers_are_not_taken_for_them(names: list[str], why: str) -> None:
    labels = read(names)
    assert {fields.speaker for fields in labels.fields.values()} == {UNKNOWN_SPEAKER}
    (note,) = [n for n in labels.notes if "speaker-independent splits are impossible" in n]
    assert why in note and "manifest" in note


# What they feel


@pytest.mark.parametrize(
    "names",
    [
        grid("{s}/{e}_{n}.wav", s=("speaker1", "speaker2"), e=MOODS, n="12"),
        grid("{s}/{e}{n}.wav", s=("anna", "ben", "carl"), e=MOODS, n="12"),
        grid("Actor_{s}/{n}-{e}.wav", s=("01", "02"), e=("Angry", "SAD"), n="12"),
        grid("{e}_{n}.wav", e=MOODS, n="12"),
        grid("everything/{n}_{e}.wav", e=MOODS, n="12"),
        [*grid("{s}/{e}_1.wav", s=("s01", "s02", "s03"), e=MOODS), "s01/hello.wav"],
    ],
)
def test_folders_of_people_are_no_emotions_and_names_tell_them(names: list[str]) -> None:
    assert emotions(names) == {"anger", "sadness"}


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (grid("{e}/{n}.wav", e=("calm", "stressed"), n="12"), {"calm", "stressed"}),
        (grid("{e}/{n}.wav", e=("positive", "negative"), n="12"), {"positive", "negative"}),
        (grid("{e}/{n}.wav", e=("busy", "idle"), n="12"), {"busy", "idle"}),
        (grid("{e}/{n}.wav", e="12", n="12"), {"1", "2"}),
        (grid("{e}/{s}/1.wav", e=("calm", "stressed"), s=("anna", "ben")), {"calm", "stressed"}),
        (grid("{e}/spk{s}/1.wav", e=("tired", "awake"), s="12"), {"tired", "awake"}),
        (["good/happy_1.wav", "good/surprise_1.wav", "bad/sad_1.wav", "bad/angry_1.wav"],
         {"good", "bad"}),
        (["low/joy_1.wav", "low/ben_1.wav", "high/ben_2.wav"], {"low", "high"}),
    ],
)  # fmt: skip
def test_labels_of_ones_own_stay_as_they_are(names: list[str], classes: set[str]) -> None:
    assert emotions(names) == classes


@pytest.mark.parametrize("people", [("actor_01", "actor_02"), ("spk0", "spk1"), ("F01", "M02")])
def test_people_without_emotions_are_refused_in_one_line(
    tmp_path: Path, people: tuple[str, ...]
) -> None:
    for name in grid("{s}/{n}.wav", s=people, n="12"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=f"the folder {people[0]} names a speaker.*manifest.csv"):
        read_corpus(tmp_path)


def test_a_stray_recording_of_a_person_is_no_class() -> None:
    labels = read([*grid("{s}/{e}/1.wav", s=("spk1", "spk2"), e=MOODS), "spk1/hello.wav"])
    assert {fields.emotion for fields in labels.fields.values()} == {"anger", "sadness"}
    assert "spk1 names a speaker" in labels.reasons[Path("spk1/hello.wav")]


def test_where_the_emotion_comes_from_is_told() -> None:
    notes = read(grid("{s}/{e}_1.wav", s=("spk1", "spk2"), e=MOODS)).notes
    assert notes == [
        "The emotion of 4 of 4 recordings is taken from the file name, such as anger from "
        "angry_1.wav.",
        "Speakers are taken from the folders: spk1, spk2 (spk1 in spk1/angry_1.wav).",
    ]


@pytest.mark.parametrize(
    ("rule", "speakers"),
    [
        (r"_([a-z]+)\.", {"ann", "ben"}),
        (r"(?P<x>sad|angry)/(?P<speaker>\d)", {"1", "2"}),
        (r"\d(?=_)", {"1", "2"}),
        ("folder", {"anna", "bob"}),
        ("none", {UNKNOWN_SPEAKER}),
    ],
)
def test_a_rule_decides_who_speaks(rule: str, speakers: set[str]) -> None:
    names = grid("{d}/{e}/{n}_{s}.wav", d=("anna", "bob"), e=MOODS, n="12", s=("ann", "ben"))
    labels = read_folders([Path(name) for name in names], rule)
    assert {fields.speaker for fields in labels.fields.values()} == speakers
    assert "--speakers-from" in labels.notes[-1]
    if rule != "none":
        assert f"{min(speakers)} in " in labels.notes[-1]


def test_a_rule_that_fits_some_leaves_the_others_unknown() -> None:
    files = [Path("angry/ann_1.wav"), Path("sad/ann_2.wav"), Path("sad/3.wav")]
    labels = read_folders(files, r"([a-z]+)_")
    assert [labels.fields[file].speaker for file in files] == ["ann", "ann", UNKNOWN_SPEAKER]
    assert "Those of 1 of 3 recordings are unknown." in labels.notes[-1]


@pytest.mark.parametrize(
    ("rule", "why"), [("(", "not a regular expression"), ("xyz", "tells the speaker of no file")]
)
def test_a_rule_that_tells_nothing_is_refused(rule: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read_folders([Path("angry/1.wav"), Path("sad/2.wav")], rule)


def test_the_command_line_offers_splits_by_speaker(tmp_path: Path) -> None:
    for seed, name in enumerate(grid("s{s}/{e}_{n}.wav", s="123", e=MOODS, n="12")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        noise = 0.1 * np.random.default_rng(seed).standard_normal(1600)
        soundfile.write(tmp_path / name, noise, 16_000)
    corpus = read_corpus(tmp_path)
    assert possible_splits(corpus)[:2] == ["loso", "folds-3"]
    said = CliRunner().invoke(app, ["corpora", str(tmp_path)])
    assert said.exit_code == 0 and "Speakers: s1, s2, s3." in said.output
    said = CliRunner().invoke(app, ["corpora", str(tmp_path), "--speakers-from", r"_(\d)\.wav"])
    assert said.exit_code == 0 and "Speakers: 1, 2. Splits:" in said.output


# Words


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Actor_01", True), ("speaker1", True), ("spk0", True), ("s01", True), ("F01", True),
        ("Speaker_A", True), ("Sprecherin 3", True), ("anna", False), ("stressed", False),
        ("persona", False), ("class1", False), ("user", False), ("1001", False),
    ],
)  # fmt: skip
def test_people_who_are_numbered_are_known_by_their_names(name: str, told: bool) -> None:
    assert is_numbered_speaker(name) is told


@pytest.mark.parametrize(
    ("stem", "who"),
    [("angry_spk1_03", "spk1"), ("x-speaker_2-y", "speaker_2"), ("person_a_angry", "person_a"),
     ("angry_user", ""), ("spkX1", ""), ("spk1_spk2", "")],
)  # fmt: skip
def test_people_inside_names(stem: str, who: str) -> None:
    assert speaker_in(stem) == who


def test_things_are_not_speakers() -> None:
    assert all(map(is_no_speaker, ("train", "take1", "Session_2", "20260301", "2026-03-01", "REC")))
    assert not any(map(is_no_speaker, ("anna", "1001", "s1", "001", "left handed")))


@pytest.mark.parametrize(
    ("stem", "emotion"),
    [("calm_01", "calm"), ("03_sad", "sadness"), ("angryVoice2", "anger"), ("x-ANG-1", "anger"),
     ("sad_happy", ""), ("sadly", ""), ("001", "")],
)  # fmt: skip
def test_one_emotion_in_a_name(stem: str, emotion: str) -> None:
    assert emotion_in(stem) == emotion


# RAVDESS's other files


def test_song_and_videos_of_ravdess_are_read_by_their_names() -> None:
    song = CORPORA["ravdess-song"]
    spoken, sung = Path("03-01-05-02-01-02-07.wav"), Path("03-02-05-02-01-02-07.wav")
    assert ravdess.parse(Path("01-01-05-02-01-02-07.wav")) == ravdess.parse(spoken)
    assert song.parse(sung) == song.parse(Path("01-02-05-02-01-02-07.wav")) == ravdess.parse(spoken)
    assert song.parse(spoken) is None and ravdess.parse(sung) is None
    assert song.parse(Path("03-02-07-02-01-02-07.wav")) is None  # nobody sang disgust


def test_a_folder_of_song_per_actor_is_read_as_song(tmp_path: Path) -> None:
    for seed, (actor, mood) in enumerate(product(("01", "02"), ("03", "05"))):
        file = tmp_path / f"Actor_{actor}" / f"03-02-{mood}-01-01-01-{actor}.wav"
        file.parent.mkdir(exist_ok=True)
        soundfile.write(file, 0.1 * np.random.default_rng(seed).standard_normal(1600), 16_000)
    corpus = read_corpus(tmp_path)
    assert corpus.name == "ravdess-song" and corpus.emotions == ("anger", "happiness")
    assert corpus.speakers == ("01", "02")
