"""Training classes made unequal: only in training, the same for all recipes, named in splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emelia.cli import app
from emelia.corpora.records import Corpus, Utterance
from emelia.corpora.splits.imbalance import imbalanced
from emelia.corpora.splits.scheme import Split, make_split
from emelia.errors import ConfigError

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness")


def made(speakers: int = 6, sentences: int = 20) -> Split:
    """Leave-one-speaker-out of a corpus without files."""
    spoken = product(CLASSES, range(1, speakers + 1), range(1, sentences + 1))
    clips = [
        Utterance(f"{emotion}/{who}_{what}.wav", Path(), emotion, str(who), str(what))
        for emotion, who, what in spoken
    ]
    return make_split(Corpus("made", Path(), tuple(clips)), "loso")


def sizes(split: Split) -> list[int]:
    """Training clips of the classes of the first fold, the largest first."""
    return sorted(Counter(u.emotion for u in split.folds[0].train).values(), reverse=True)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1, [80] * 5), (16, [80, 40, 20, 10, 5]), (10, [80, 45, 25, 14, 8]), (1e6, [80, 3, 1, 1, 1])],
)
def test_class_sizes_fall_geometrically_to_one_in_r(ratio: float, expected: list[int]) -> None:
    assert sizes(imbalanced(made(), ratio)) == expected


def test_validation_and_test_stay_whole_and_nothing_is_added() -> None:
    before, after = made(), imbalanced(made(), 10)
    for whole, thinned in zip(before.folds, after.folds, strict=True):
        assert (thinned.name, thinned.test, thinned.validation) == (
            whole.name, whole.test, whole.validation,
        )  # fmt: skip
        assert set(thinned.train) < set(whole.train)
        assert list(thinned.train) == sorted(thinned.train, key=whole.train.index)


def test_the_same_classes_are_rare_in_every_fold() -> None:
    split = imbalanced(made(), 16)
    orders = {
        tuple(name for name, _ in Counter(u.emotion for u in fold.train).most_common())
        for fold in split.folds
    }
    assert len(orders) == 1
    assert " > ".join(orders.pop()) in split.protocol


def test_what_is_kept_is_the_same_everywhere_and_always() -> None:
    # Cells of finished studies are found by these clips.
    kept = imbalanced(made(), 80).folds[0].train
    assert Counter(u.emotion for u in kept) == {
        "disgust": 80, "happiness": 27, "sadness": 9, "anger": 3, "fear": 1,
    }  # fmt: skip
    rare = [u.id for u in kept if u.emotion in ("anger", "fear")]
    assert rare == ["anger/3_4.wav", "anger/5_6.wav", "anger/6_2.wav", "fear/6_8.wav"]
    turned = tuple(replace(fold, train=fold.train[::-1]) for fold in made().folds)
    other = imbalanced(replace(made(), folds=turned), 80).folds[0].train
    assert set(other) == set(kept)


def test_a_stronger_imbalance_keeps_some_of_what_a_weaker_one_keeps() -> None:
    weak, strong = imbalanced(made(), 5), imbalanced(made(), 20)
    for one, other in zip(weak.folds, strong.folds, strict=True):
        assert set(other.train) < set(one.train)


def test_speakers_stay_represented_in_every_class_as_far_as_there_are_clips() -> None:
    for fold in imbalanced(made(), 16).folds:
        for emotion in CLASSES:
            heard = Counter(u.speaker for u in fold.train if u.emotion == emotion)
            assert len(heard) == 4
            assert max(heard.values()) - min(heard.values()) <= 1


def test_a_speaker_with_many_clips_keeps_more_of_them() -> None:
    clips = [
        Utterance(f"{emotion}/{who}_{n}.wav", Path(), emotion, who)
        for emotion in CLASSES
        for who, many in {"1": 40, "2": 20, "3": 40, "4": 20}.items()
        for n in range(many)
    ]
    whole = make_split(Corpus("made", Path(), tuple(clips)), "loso")
    fold = next(f for f in imbalanced(whole, 10).folds if f.train[0].speaker in "12")
    for emotion in CLASSES:
        heard = Counter(u.speaker for u in fold.train if u.emotion == emotion)
        many, few = (max(heard.values()), min(heard.values()))
        assert abs(many - 2 * few) <= 2


def test_the_name_and_the_protocol_tell_so_that_results_never_mix() -> None:
    before, after = made(), imbalanced(made(), 10)
    assert after.name == "loso-imbalance-10"
    assert after.protocol.startswith(before.protocol)
    assert "left out to make classes unequal, 1 to 1/10" in after.protocol
    assert imbalanced(made(), 2.5).name == "loso-imbalance-2.5"
    assert imbalanced(before, 1) is before


def test_the_cell_of_an_unequal_class_has_another_key() -> None:
    pytest.importorskip("torch")
    from emelia.learn.study.recipes import find_recipes
    from emelia.learn.study.tasks import tasks

    corpus, keys = Corpus("made", Path(), made().folds[0].test), set()
    for ratio in (1, 2, 10):
        task = tasks(corpus, imbalanced(made(), ratio), find_recipes("variable-3"), [0])[0]
        keys.add(task.key)
    assert len(keys) == 3


@pytest.mark.parametrize("ratio", [0.5, 0, -2, float("nan"), float("inf")])
def test_a_ratio_that_makes_no_sense_is_refused(ratio: float) -> None:
    with pytest.raises(ConfigError, match=r"imbalance: .*expected 1 or more"):
        imbalanced(made(), ratio)


def test_a_study_may_be_asked_for_it(small_corpus: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from emelia.results import read_results

    small = ("--epochs", "1", "--set", "model.width=2", "--set", "features.mels=16")
    command = ["study", str(small_corpus(sentences=4)), "--recipes", "variable-3", "--jobs", "1"]
    out = ["--out", str(tmp_path / "out"), "--imbalance", "4", *small]
    answer = CliRunner().invoke(app, [*command, *out], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    cells = read_results(tmp_path / "out")
    assert len(cells) == 3
    for cell in cells:
        assert cell.split == "loso-imbalance-4"
        assert "1 to 1/4" in cell.protocol
        assert cell.train_clips == 5  # 4 and 1, of 4 and 4
        assert len(cell.predictions) == 8
