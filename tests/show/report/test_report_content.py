"""What a report adds to its figures: words, sources, sound, and what random splits claim."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import fake_study
import numpy as np
import pytest
import soundfile
import torch

from emelia import metrics
from emelia.audio.mel import log_mel
from emelia.cli.commands.report import report
from emelia.config import AudioConfig, AugmentConfig, FeatureConfig, Recipe, TrainConfig
from emelia.corpora import read_corpus
from emelia.errors import MissingExtraError
from emelia.learn.data.features import FrontEnd
from emelia.results import Cell, Study, studies
from emelia.show import describe
from emelia.show.report import detail_tables, findings, plots_calibration, recordings
from emelia.show.report.page import write_report
from emelia.show.report.published import REFERENCES, founding, references

CLIPS = fake_study.utterances()
RANDOM = fake_study.study(fake_study.at_random(CLIPS), ["variable-3", "emelia"], [0])
LOSO = fake_study.study(fake_study.loso(CLIPS), ["variable-3", "emelia"], [0])


def changed(cells: Sequence[Cell], recipe: str, **train: object) -> list[Cell]:
    """Cells of one recipe with another setting of training."""
    found = []
    for cell in (c for c in cells if c.recipe == recipe):
        settings = {**cell.settings, "train": {**cell.settings["train"], **train}}
        made = replace(fake_study.RECIPES[recipe], train=TrainConfig(**settings["train"]))
        found.append(replace(cell, settings=settings, recipe_digest=made.digest))
    return found


# Words


def test_the_steps_of_a_recipe_are_told_in_their_order() -> None:
    assert describe.audio(AudioConfig()) == (
        "Resampled to 16 kHz, one channel, the mean subtracted, the peak brought to 1."
    )
    told = describe.audio(AudioConfig(False, "quiet", 30.0, "none"))
    assert told.index("noise reduced") < told.index("30 dB below") < told.index("level left")
    assert "mean" not in told


def test_a_front_end_is_told_in_milliseconds() -> None:
    assert describe.features(FeatureConfig(hop=160, window=400, n_fft=512, mels=64)).startswith(
        "64 mel bands from 0 to 8,000 Hz; windows of 25 ms every 10 ms (FFT of 512)"
    )
    assert "20 cepstral coefficients" in describe.features(FeatureConfig(kind="mfcc"))
    assert "(PCEN); each clip standardised" in describe.features(FeatureConfig(kind="pcen"))


def test_only_changes_that_are_on_are_told() -> None:
    assert describe.augmentation(AugmentConfig()) == ""
    assert "with probability 0.7" in describe.augmentation(AugmentConfig(spec_augment=0.7))
    assert "up to 500 frames later" in describe.augmentation(AugmentConfig(position_jitter=500))
    told = describe.augmentation(AugmentConfig(copies=10, stretch_rate=(1.0, 1.0)))
    assert "Each clip 10 times" in told
    assert "pitch by −4 to 4 semitones" in told
    assert "tempo" not in told and "level" not in told and "Masks" not in told
    assert "10 to 30 bands" in describe.augmentation(AugmentConfig(mask_probability=0.5))


def test_training_tells_the_rule_for_stopping() -> None:
    assert "stopped after 15" in describe.training(Recipe())
    assert "stopped" not in describe.training(Recipe(train=TrainConfig(patience=0)))


def test_a_way_of_learning_is_the_recipe_without_its_words_and_its_length() -> None:
    longer = replace(Recipe(), name="other", title="x", train=TrainConfig(epochs=300, patience=0))
    other = replace(Recipe(), train=TrainConfig(lr=0.1))
    assert (
        describe.way(asdict(Recipe()))
        == describe.way(asdict(longer))
        != describe.way(asdict(other))
    )
    assert describe.way({"model": {"name": "of tomorrow"}}) == ""


def test_settings_that_differ_from_their_defaults_are_listed() -> None:
    recipe = Recipe(name="x", train=TrainConfig(lr=0.01))
    assert describe.changed(recipe) == {"train.lr": 0.01}


# Others' figures


def test_every_published_figure_has_a_source_and_a_protocol() -> None:
    assert all(0 < one.accuracy < 100 and one.source and one.protocol for one in REFERENCES)
    keys = [(one.corpus, one.system, one.apart) for one in REFERENCES]
    assert len(set(keys)) == len(keys)


def test_a_study_stands_among_the_figures_of_its_own_kind() -> None:
    (study,) = studies(LOSO)
    assert study.best
    table = detail_tables.elsewhere(study)
    unheard = [one.accuracy for one in references("aesdd", apart=True)]
    assert table.best == sum(figure > 100 * study.best.accuracy for figure in unheard)
    assert table.rows[table.best][0] == "emelia (here)"
    kinds = [row[2] for row in table.rows]
    assert kinds == ["unseen"] * (len(unheard) + 1) + ["seen in training"] * len(founding("aesdd"))
    (random,) = studies(RANDOM)
    assert {row[2] for row in detail_tables.elsewhere(random).rows} == {"seen in training"}


def test_a_corpus_nobody_has_published_on_has_no_such_table() -> None:
    (study,) = studies([replace(cell, corpus="mine") for cell in LOSO])
    assert detail_tables.elsewhere(study).rows == ()
    assert not any("others have published" in told for told in findings.findings(study))


def test_the_conclusions_place_the_interval_among_published_figures() -> None:
    (study,) = studies(LOSO)
    (told,) = (line for line in findings.findings(study) if "others have published" in line)
    assert study.best
    span = study.best.accuracy_interval
    for one in references("aesdd", apart=True):
        share = one.accuracy / 100
        place = "above" if share > span.high else "below" if share < span.low else "inside"
        (part,) = re.findall(rf"figures? {place} it \(([^)]*)\)", told)
        assert one.system in part


# Random splits


def test_one_recipe_under_two_kinds_of_split_is_set_side_by_side() -> None:
    both = [*RANDOM, *LOSO]
    table = detail_tables.random_against_apart(studies(both))
    random, apart = studies(both)
    for line, row, twin in zip(table.rows, random.rows, apart.rows, strict=True):
        assert row.best_test_accuracy is not None
        gap = 100 * (row.best_test_accuracy - twin.accuracy)
        assert (line[0], line[1], line[4]) == (row.recipe, "author-80-20", "loso")
        assert line[2:4] == (f"{100 * row.best_test_accuracy:.1f}", f"{100 * row.accuracy:.1f}")
        assert line[6] == f"{gap:+.1f}"
        assert line[7] == "40 / 40"
    assert "of 2 pairs" in table.note


def test_other_epochs_are_the_same_recipe_and_another_rate_is_not() -> None:
    longer = changed(RANDOM, "variable-3", epochs=999, patience=0)
    assert longer[0].recipe_digest != RANDOM[0].recipe_digest
    assert len(detail_tables.random_against_apart(studies([*longer, *LOSO])).rows) == 1
    other = changed(RANDOM, "variable-3", lr=0.5)
    assert detail_tables.random_against_apart(studies([*other, *LOSO])).rows == ()


def test_studies_of_one_kind_have_nothing_to_set_side_by_side() -> None:
    assert detail_tables.random_against_apart(studies(LOSO)).rows == ()


# Tables


def test_clips_are_counted_once_by_speaker_and_class() -> None:
    (study,) = studies(LOSO)
    table = detail_tables.clips(study)
    assert table.columns == ("speaker", *fake_study.CLASSES, "all")
    assert table.rows[0] == ("1", "6", "6", "6", "6", "6", "30")
    assert table.rows[-1] == ("all", "36", "36", "36", "36", "36", "180")


def test_the_sexes_are_told_apart_where_they_are_known() -> None:
    (study,) = studies(LOSO)
    assert detail_tables.genders(study).rows == ()
    told = [
        replace(
            cell,
            predictions=tuple(
                {**p, "gender": "female" if int(p["speaker"]) % 2 else "male"}
                for p in cell.predictions
            ),
        )
        for cell in LOSO
    ]
    (study,) = studies(told)
    table, row = detail_tables.genders(study), study.rows[0]
    female = np.array([int(name) % 2 == 1 for name in row.speakers])
    share = (row.predicted[0] == row.truth)[female].mean()
    assert table.columns == ("recipe", "female", "male")
    assert table.rows[0][1].startswith(f"{100 * share:.1f} / ")


def test_the_mean_over_classes_lies_in_its_interval() -> None:
    (study,) = studies(LOSO)
    row = study.rows[0]
    spans = row.class_intervals
    for name, figure in (("precision", metrics.precision), ("recall", metrics.recall)):
        values = figure(row.confusion)
        assert len(spans[name]) == 6
        for value, span in zip([*values, values.mean()], spans[name], strict=True):
            assert span.low <= value <= span.high
    uar = row.uar_interval
    assert (spans["recall"][-1].low, spans["recall"][-1].high) == pytest.approx((uar.low, uar.high))


def test_a_class_never_met_has_an_interval_all_the_same() -> None:
    spans = metrics.class_intervals([0, 0, 1, 1], [0, 1, 1, 1], ["a", "a", "b", "b"], classes=3)
    assert [len(one) for one in spans.values()] == [4, 4, 4]
    assert spans["f1"][2].high == 0


# Reliability


def test_the_reliability_figure_is_the_bins_it_is_given() -> None:
    (study,) = studies(LOSO)
    row = study.rows[0]
    assert row.calibration
    bins = row.calibration.bins
    axes = plots_calibration.reliability(bins).axes[0]
    filled = [one for one in bins if one["n"]]
    (dots,) = axes.collections
    expected = [[100 * one["confidence"], 100 * one["accuracy"]] for one in filled]
    np.testing.assert_allclose(dots.get_offsets(), expected)
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(100)


def test_confidence_is_compared_with_what_is_right() -> None:
    (study,) = studies(LOSO)
    (told,) = (line for line in findings.findings(study) if "calibration" in line)
    assert study.best
    chances = np.concatenate([cell.probabilities for cell in study.best.cells])
    error = metrics.calibration_error(study.best.truth, chances)
    assert f"calibration error, {100 * error:.1f} % (" in told
    assert "its confidence is uncalibrated" in told
    sure = chances.max(axis=1).mean()
    assert ("is surer than" in told) == (sure > study.best.accuracy)


def test_a_training_that_diverged_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    broken = [
        replace(
            c,
            predictions=tuple({**p, "probabilities": [float("nan")] * 5} for p in c.predictions),
        )
        for c in LOSO[:6]
    ]
    html = write_report(broken, tmp_path)[1].read_text(encoding="utf-8")
    assert "Confusion matrix of variable-3" in html
    assert "Reliability" not in html


# Sound


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus named as AESDD is, of tones, two speakers and two sentences."""
    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    time = np.arange(8000) / 16_000
    for clip in fake_study.utterances(speakers=2, sentences=2):
        path = folder / clip.id
        path.parent.mkdir(exist_ok=True)
        tone = np.sin(2 * np.pi * rng.uniform(100, 900) * time) + 0.01 * rng.standard_normal(8000)
        soundfile.write(path, (0.3 * tone).astype(np.float32), 16_000)
    return folder


@pytest.fixture(scope="module")
def spoken(speech: Path) -> Study:
    corpus = read_corpus(speech)
    cells = fake_study.study(fake_study.loso(corpus.utterances), ["emelia"], [0], epochs=3)
    return studies([replace(cell, corpus_digest=corpus.digest) for cell in cells])[0]


def test_the_page_plays_the_surest_mistakes(speech: Path, spoken: Study, tmp_path: Path) -> None:
    row = spoken.rows[0]
    html = write_report(row.cells, tmp_path, places=["/nowhere", str(speech)])[1].read_text()
    sounds = re.findall(r'<audio [^>]*src="data:audio/flac;base64,([^"]*)"', html)
    wrong = recordings.mistakes(row, 8)
    assert len(sounds) == len(wrong) > 0
    wave, rate = soundfile.read(io.BytesIO(b64decode(sounds[0])))
    original, _ = soundfile.read(speech / wrong[0].clip)
    np.testing.assert_allclose(wave, original, atol=1e-4)
    assert rate == 16_000
    assert "From sound to mel spectrogram" in html
    assert "media-src data:" in html
    assert (tmp_path / "figures" / "aesdd-loso-mel.png").is_file()


def test_without_the_recordings_the_page_says_so(spoken: Study, tmp_path: Path) -> None:
    html = write_report(spoken.rows[0].cells, tmp_path)[1].read_text(encoding="utf-8")
    assert "were not found on the disk" in html
    assert "<audio" not in html
    assert recordings.mistakes(spoken.rows[0], 1)[0].clip in html


def test_other_recordings_of_the_same_names_are_not_played(speech: Path, spoken: Study) -> None:
    sample = spoken.sample
    assert len(recordings.recordings(sample, [str(speech)])) == 20
    assert recordings.recordings(replace(sample, corpus_digest="00000000"), [str(speech)]) == {}


def test_run_folders_tell_where_the_corpus_lay(tmp_path: Path) -> None:
    run = tmp_path / "cells" / "one" / "run.json"
    run.parent.mkdir(parents=True)
    assert recordings.places_of([tmp_path / "results.jsonl"]) == []
    run.write_text(json.dumps({"places": ["/a", "/b"]}))
    assert recordings.places_of([tmp_path / "results.jsonl"]) == ["/a+/b"]
    run.write_text("{")
    assert recordings.places_of([tmp_path / "results.jsonl"]) == []


def test_mistakes_are_wrong_and_come_surest_first() -> None:
    (study,) = studies(LOSO)
    found = recordings.mistakes(study.rows[0], 5)
    assert [one.confidence for one in found] == sorted((o.confidence for o in found), reverse=True)
    for one in found:
        assert one.clip.startswith(one.meant)
        assert one.said != one.meant
    best = recordings.surest(study.rows[0])
    assert best is not None and best.said == best.meant


def test_the_pictured_spectrogram_is_what_the_network_sees() -> None:
    config = FeatureConfig(n_fft=512, window=400, hop=160, mels=64, standardise="none")
    wave = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    seen, _, _ = FrontEnd(config)(torch.from_numpy(wave[None]), torch.tensor([8000]))
    np.testing.assert_allclose(log_mel(wave, config), seen[0].numpy(), atol=0.01)


def test_without_scipy_there_is_no_picture_but_a_page(
    speech: Path, spoken: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    with pytest.raises(MissingExtraError, match="scipy"):
        log_mel(np.zeros(800, np.float32), FeatureConfig())
    html = write_report(spoken.rows[0].cells, tmp_path, places=[str(speech)])[1].read_text()
    assert "scipy is not installed" in html
    assert "<audio" in html


def test_the_command_takes_places_and_a_folder(
    speech: Path, spoken: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.jsonl").write_text(
        "".join(f"{cell.to_json()}\n" for cell in spoken.rows[0].cells)
    )
    report([tmp_path], out=tmp_path / "there", corpus=[str(speech)])
    assert capsys.readouterr().out.split()[:2] == [
        str(tmp_path / "there" / name) for name in ("report.md", "report.html")
    ]
    assert "<audio" in (tmp_path / "there" / "report.html").read_text(encoding="utf-8")


def test_a_place_that_holds_other_recordings_is_told(
    spoken: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.jsonl").write_text(f"{spoken.rows[0].cells[0].to_json()}\n")
    report([tmp_path], corpus=["/nowhere"])
    assert "/nowhere: not the recordings of these results" in capsys.readouterr().err
