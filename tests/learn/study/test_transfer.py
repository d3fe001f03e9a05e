"""Pre-trained encoders and teachers at the command line, in variants and in reports."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from click.testing import Result
from fake_study import RECIPES, loso, study, utterances
from tiny_encoder import SOLVED, make_known
from typer.testing import CliRunner

from emelia.cli import app
from emelia.config import ModelConfig, Recipe, TrainConfig, recipe_from, recipe_toml
from emelia.errors import ConfigError, EmeliaError
from emelia.learn.export.calibrate import threshold
from emelia.learn.export.temperature import for_calibration, read_answers, temperature
from emelia.learn.model.layer_table import architecture
from emelia.learn.study.ablations import ALL_FROZEN, ablations, is_solved
from emelia.learn.study.tune_space import own_values, space, with_values
from emelia.learn.training import linear_layer
from emelia.learn.training.runs import load_run, new_network
from emelia.results import Cell, studies
from emelia.show import describe
from emelia.show.page import Figures
from emelia.show.report.limitations import limitations
from emelia.show.report.recipe_section import recipe_section


def run(*command: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in command])


@pytest.fixture
def made(
    one_thread: None,
    small_corpus: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Path]:
    """A folder with a corpus, the weights of the small encoder and a recipe for it."""
    with torch.random.fork_rng():
        make_known(monkeypatch, tmp_path / "weights")
        small_corpus(seconds=0.3, speakers=4)
        (tmp_path / "solved.toml").write_text(recipe_toml(SOLVED), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        yield tmp_path


def train(*more: str | Path) -> Result:
    return run("train", "solved.toml", "corpus", "--out", "run", *more)


# The command line


def test_a_run_of_an_encoder_initialises_another_and_teaches_a_third(made: Path) -> None:
    assert (first := train()).exit_code == 0, first.output
    more = ("--set", "model.blocks=0", "--init-from", "run", "--out", "begun")
    assert (second := train(*more)).exit_code == 0, second.output
    begun = load_run(made / "begun")
    assert begun.recipe.model.init.startswith("solved@")
    assert begun.recipe.model.blocks == load_run(made / "run").recipe.model.blocks
    student = ("--set", "model.encoder=mel", "--set", "train.distill_alpha=0.5",
             "--set", "train.feature_distill=0.1", "--epochs", "2")  # fmt: skip
    assert (third := train(*student, "--teacher", "run", "--out", "taught")).exit_code == 0, (
        third.output
    )
    taught = load_run(made / "taught")
    assert taught.recipe.train.distill == begun.recipe.model.init
    assert not any("project" in key for key in taught.network.state_dict())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "model.encoder=tini"), "no encoder is called 'tini'; did you mean tiny?"),
        (("--set", "features.mels=64"), "tiny takes 8 mel bands, got 64"),
        (("--set", "model.blocks=9"), "tiny has 1 to 3 blocks here, got 9"),
        (("--init-from", "corpus"), "corpus: no run of split"),
        (("--init-from", "nowhere"), "nowhere: no such folder"),
        (("--teacher", "corpus"), "corpus: no run of split"),
        (("--set", "train.distill_alpha=0.5"), "asks for a teacher"),
        (("--set", "train.layer_decay=-1"), r"train.layer_decay: -1.0 does not fit"),
        (("--set", "train.distill_alpha=2"), r"train.distill_alpha: 2.0 does not fit"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(
    more: tuple[str, ...], message: str, made: Path
) -> None:
    found = train(*more)
    assert isinstance(found.exception, EmeliaError)
    assert message in str(found.exception)
    assert not (made / "run" / "run.json").exists()


def test_missing_or_damaged_weights_are_reported(made: Path) -> None:
    file = made / "weights" / "tiny.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    assert "cannot be read" in str(train().exception)
    file.unlink()
    assert "emelia weights fetch tiny" in str(train("--out", "other").exception)


def test_a_teacher_that_no_recipe_uses_is_reported(made: Path) -> None:
    assert train().exit_code == 0
    found = train("--teacher", "run", "--out", "other")
    assert "--teacher: solved learns from none" in str(found.exception)


def test_there_is_nothing_to_tune_in_what_is_solved(made: Path) -> None:
    found = run("tune", "solved.toml", "corpus", "--trials", "1", "--out", "tuned")
    assert "only a linear layer is solved, which has nothing to search" in str(found.exception)


def test_a_model_for_unseen_corpora_is_calibrated_with_equal_corpora(
    made: Path, small_corpus: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_layer, "PENALTIES", (30.0,))  # an encoder of chance is unsure then
    small_corpus(made / "other", seconds=0.4, sentences=3, speakers=3)
    more = ("--split", "loso", "--set", "train.selection_groups=corpora", "--out", "run")
    answer = run("train", "solved.toml", "corpus+other", *more)
    assert answer.exit_code == 0, answer.output
    validation = read_answers(Path("run"), 2)["validation"]
    assert len(set(Counter(validation.corpora).values())) == 2, "or this would prove nothing"
    chose = for_calibration(validation, "corpora")
    limit = threshold(chose, heat := temperature(chose)).limit
    assert heat != temperature(validation)
    assert f"without its temperature of {heat:g}" in answer.output
    assert f"At the threshold of {limit:g}" in answer.output
    asked = run("evaluate", "run", "corpus+other")
    assert f"without its temperature of {heat:g}" in asked.output
    assert f"At the threshold of {limit:g}" in asked.output
    assert Cell.from_json(Path("run/result.json").read_text()).temperature == heat
    limit = threshold(chose, heat, 0.8).limit
    assert limit != threshold(validation, heat, 0.8).limit
    exported = run("export", "run", "--accuracy", "0.8", "--out", "model.onnx")
    assert exported.exit_code == 0, exported.output
    assert f"Temperature {heat:g}; unsure below {limit:g}." in exported.output


# Variants, and what a search may turn

WHISPER = Recipe(
    "whisper",
    model=ModelConfig("encoder", encoder="whisper-base", dropout=0.0),
    train=TrainConfig(10, 0, refit=True, layer_decay=0.7, distill_alpha=0.5, feature_distill=0.1),
)


def names(recipe: Recipe) -> list[str]:
    return [one.name.partition(", ")[2] for one in ablations(recipe)]


def test_the_techniques_of_transfer_are_ablated_one_by_one() -> None:
    made = dict(zip(names(WHISPER), ablations(WHISPER), strict=True))
    assert list(made) == [
        "", "no early stopping", "no refit", "no layer-wise rates", "no distillation",
        "no feature distillation",
        "frozen encoder", "linear layer only",
    ]  # fmt: skip
    assert not made["no refit"].train.refit
    assert not made["no distillation"].train.uses_teacher
    assert made["no feature distillation"].train.distill_alpha == 0.5
    assert made["frozen encoder"].train.frozen == ALL_FROZEN
    assert is_solved(made["linear layer only"])
    assert len({one.digest for one in made.values()}) == len(made)


def test_only_what_can_change_a_solution_is_ablated_in_a_solved_recipe() -> None:
    assert names(SOLVED) == ["", "no refit"]
    shunning = replace(SOLVED, train=replace(SOLVED.train, nuisance_penalty=True))
    assert names(shunning) == ["", "no refit", "no nuisance penalty"]
    strangers = replace(SOLVED, train=replace(SOLVED.train, selection_groups="corpora"))
    assert names(strangers) == ["", "no refit", "selected by speakers"]
    for one in ablations(strangers):
        assert recipe_from(tomllib.loads(recipe_toml(one))) == one, "a recipe that can be read"


def test_a_search_turns_an_encoders_rates_and_not_its_width() -> None:
    dials = space(WHISPER)
    keys = {dial.key for dial in dials}
    assert "train.layer_decay" in keys
    assert "model.width" not in keys
    assert with_values(WHISPER, own_values(WHISPER, dials)) is WHISPER
    for dial in dials:
        own = own_values(WHISPER, dials)[dial.key]
        assert own in dial.options or dial.low <= own <= dial.high
    ours = replace(WHISPER, model=ModelConfig("encoder", encoder="mel"))
    assert {d.key for d in space(ours)} == keys
    with pytest.raises(ConfigError, match="nothing to search"):
        space(SOLVED)


# Reports


def test_the_description_names_initial_weights_and_teacher() -> None:
    solved = replace(WHISPER, train=TrainConfig(1, refit=True))
    assert describe.origins(Recipe()) == ""
    assert "first blocks of whisper-base" in describe.origins(solved)
    assert "The encoder is frozen" in describe.origins(solved)
    every = replace(solved, model=replace(solved.model, pool_layers="all"))
    assert "the mean of the frames after each block" in describe.origins(every)
    assert "the mean of its frames" in describe.origins(solved)
    ours = replace(solved, model=replace(solved.model, encoder="mel"))
    assert "Initialised from the first blocks of whisper-tiny.en" in describe.origins(ours)
    imitating = replace(ours, train=TrainConfig(4, feature_distill=1.0, frozen=1))
    assert "The frames of the encoder that it stands in for are imitated" in describe.origins(
        imitating
    )
    assert "The first 1 of the encoder's layers do not learn" in describe.origins(imitating)
    assert describe.training(solved) == (
        "Logistic regression, solved, then once more, with the validation clips among the "
        "training clips."
    )
    shunning = replace(solved, train=replace(solved.train, nuisance_penalty=True))
    assert "solved, directions that tell speakers and corpora apart penalised" in describe.training(
        shunning
    )
    drawn = replace(solved, train=replace(solved.train, penalty="prior"))
    assert "drawn towards the linear layer of the initial run" in describe.training(drawn)
    strangers = replace(solved, train=replace(solved.train, selection_groups="corpora"))
    assert "chosen and calibrated by corpora left out in turn" in describe.training(strangers)
    told = describe.origins(replace(WHISPER, train=replace(WHISPER.train, distill="a@1")))
    assert "the last block learns at the learning rate, each earlier one at 0.7 of the next" in told
    whole = replace(WHISPER, train=replace(WHISPER.train, frozen=ALL_FROZEN))
    assert "The encoder's layers do not learn" in describe.origins(whole)
    assert "50 % of what is to be answered comes from a@1" in told
    assert "The frames of a@1 are imitated, with a weight of 0.1" in told
    assert "for as many epochs as validation chose" in describe.training(WHISPER)
    begun = replace(RECIPES["emelia"], model=replace(RECIPES["emelia"].model, init="b@2"))
    assert describe.origins(begun) == "Initial weights are those of b@2."
    assert "as Whisper takes it" in describe.features(replace(SOLVED.features))


def test_a_portrait_names_the_blocks_and_shows_the_layers_of_those_used() -> None:
    recipe = replace(WHISPER, name="emelia", train=TrainConfig(1, refit=True))
    recipe = replace(recipe, features=replace(recipe.features, mels=80))
    settings = recipe_values(recipe)
    cells = study(loso(utterances()), ("emelia",), (0,), epochs=1)
    three = replace(recipe, model=replace(recipe.model, blocks=3))
    layers = architecture(new_network(three, 5), three)
    changed = [
        replace(c, settings=settings, blocks=2 + (i == 0), best_epoch=1, layers=layers.records(),
                parameters=layers.parameters)
        for i, c in enumerate(cells)
    ]  # fmt: skip
    (found,) = studies(changed)
    pytest.importorskip("matplotlib")
    shown = recipe_section(found.rows[0], Figures(), "x")
    told = dict(shown.training)
    assert told["blocks"].startswith("2 in 5 trainings and 3 in 1 training, chosen with speakers")
    assert shown.layers is not None
    assert sum("transformer block" in line[0] for line in shown.layers.rows) == 3
    assert not any("epochs" in str(picture.caption) for picture in shown.pictures)
    assert not any("last epoch" in sentence for sentence in limitations(found))
    for lacking in ({"layers": ()}, {"parameters": layers.parameters + 1}):
        (found,) = studies([replace(c, **lacking) for c in changed])
        assert recipe_section(found.rows[0], Figures(), "x").layers is None


def recipe_values(recipe: Recipe) -> dict[str, object]:
    return dict(json.loads(json.dumps(asdict(recipe))))
