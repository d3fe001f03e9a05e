"""A trained model learns other recordings and labels in one command."""

from __future__ import annotations

import io
import json
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import RATE, voice
from tiny import ROOT, same
from tiny_encoder import BANDS, NAME, make_known

from emelia import load
from emelia.cli import main
from emelia.cli.commands import finetune as command
from emelia.config import PRESETS, FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import make_split
from emelia.errors import ConfigError, CorpusError, SplitError
from emelia.learn.data.loader import Clip, Loader
from emelia.learn.export import build as export
from emelia.learn.model.network import Encoder, build
from emelia.learn.study.cell import run_cell
from emelia.learn.study.finetuning import check_sizes, finetuning_recipe, unseen, usual_split
from emelia.learn.study.tasks import tasks
from emelia.learn.training import fit as training
from emelia.learn.training import linear_layer, pooled_features
from emelia.learn.training.inference import predict
from emelia.learn.training.runs import load_run

BENCH: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "finetune_kept.py"))
SHORT = FeatureConfig(n_fft=256, window=200, hop=80, mels=16)
RECIPE = Recipe(
    "tiny", features=SHORT, model=ModelConfig(width=4), train=TrainConfig(4, 0, 4, lr=0.02)
)
ENCODER = replace(
    RECIPE,
    features=replace(PRESETS["whisper"], mels=BANDS),
    model=ModelConfig("encoder", encoder="mel", blocks=1, dropout=0.0),
    train=TrainConfig(3, 0, 4, lr=0.001),
)
PITCHES = {"anger": 110.0, "fear": 330.0, "tired": 90.0, "stressed": 400.0}  # Hz
QUICK = ("--epochs", "2")


@dataclass
class Answer:
    """What a command leaves behind."""

    code: int
    out: str
    err: str


def emelia(*words: str | Path) -> Answer:
    """Run a command in this process, as `emelia` does."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["emelia", *map(str, words)])
        patch.setattr("emelia.console.for_people", lambda: True)
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


def record(
    folder: Path, labels: Sequence[str], speakers: Sequence[str], clips: int, first: int = 0
) -> Path:
    """Write LABEL/SPEAKER_NUMBER.wav, so many of each: every label has a pitch of its own."""
    for place, label in enumerate(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number, speaker in enumerate(speakers):
            for clip in range(first, first + clips):
                seed = 10_000 * place + 100 * sum(map(ord, speaker)) + clip
                sound = voice(PITCHES[label] * (1 + 0.03 * number), 0.3, seed)
                soundfile.write(folder / label / f"{speaker}_{clip:02}.wav", sound, RATE)
    return folder


def train(folder: Path, corpus: Path, recipe: Recipe) -> Path:
    data = read_corpus(corpus)
    task = tasks(data, make_split(data, "folds-3"), [recipe], [0])[0]
    run_cell(task, folder, lambda done, total, facts: None)
    return folder


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a corpus `acted`, which the run `model` has seen, and one of other labels."""
    room = tmp_path_factory.mktemp("rooms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMELIA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        make_known(patch, room / "weights")
        acted = record(room / "acted", ("anger", "fear"), ("a", "b", "c"), 3)
        train(room / "model", acted, ENCODER)
        record(room / "calls", ("tired", "stressed"), ("x", "y", "z"), 5)
        yield room


@pytest.fixture(scope="module")
def finetuned(rooms: Path) -> Answer:
    """The model, fine-tuned on the calls."""
    return emelia("finetune", rooms / "model", rooms / "calls", "--out", rooms / "new")


@pytest.fixture
def no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that a model file takes."""
    monkeypatch.setattr(command, "_export", lambda folder, writing: folder / "none.onnx")


def about(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))


# In one command


def test_a_model_learns_other_labels_and_its_file_answers_with_them(
    finetuned: Answer, rooms: Path
) -> None:
    assert finetuned.code == 0, finetuned.err
    file = rooms / "new" / "new.onnx"
    assert f"Next: emelia predict --model {file} CLIP" in finetuned.out
    model = load(file)
    assert model.emotions == ("stressed", "tired")
    card = model.card
    assert card.name == "new" and card.metrics["test"]["accuracy"][0] > 0.8
    said = emelia("predict", "--model", file, rooms / "calls" / "tired" / "x_00.wav")
    assert said.code == 0
    assert "has no stressed, tired" in finetuned.out  # so there is no before


def test_initial_run_and_seen_clips_are_kept(finetuned: Answer, rooms: Path) -> None:
    before, after = about(rooms / "model"), about(rooms / "new")
    assert after["start"]["name"] == "model"
    assert set(before["heard"]) < set(after["heard"])
    assert after["recipe"]["name"] == "tiny, fine-tuned", "whatever the folder is called"
    assert after["recipe"]["model"]["init"].startswith("tiny@")


def test_few_clips_are_reported(finetuned: Answer) -> None:
    assert "few clips: 15 of stressed, 15 of tired" in finetuned.err
    assert "figures flatter" not in finetuned.err  # three speakers are kept apart


@pytest.mark.usefixtures("no_file")
def test_of_known_labels_before_and_after_are_compared(rooms: Path, tmp_path: Path) -> None:
    own = record(tmp_path / "own", ("anger", "fear"), ("x", "y", "z"), 4)
    base = train(tmp_path / "cnn", rooms / "acted", RECIPE)
    answer = emelia("finetune", base, own, *QUICK, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert "cnn before and after, on the same 8 test clips" in answer.out
    rows = {line.split()[0]: line for line in answer.out.splitlines() if line.strip()}
    assert {"before", "after"} <= rows.keys()
    told = " ".join(answer.out.split())
    assert "Too few speakers to tell what others gain: 1 known speaker here, 6 are needed." in told


@pytest.mark.usefixtures("no_file")
def test_an_encoder_gets_its_linear_layer_first(rooms: Path, tmp_path: Path) -> None:
    base, out = rooms / "model", tmp_path / "new"
    answer = emelia("finetune", base, rooms / "calls", "--epochs", "1", "--out", out)
    assert answer.code == 0, answer.err
    old, new = load_run(base).network.state_dict(), load_run(out).network.state_dict()
    frozen = [key for key in old if key.startswith("encoder.")]
    assert frozen and all((old[key] == new[key]).all() for key in frozen)
    assert "accuracy 100.0 %" in answer.out
    run, data = load_run(out), read_corpus(rooms / "calls")
    clips = Loader(run.recipe, run.classes).load(data.utterances)
    answers = predict(run.network, clips).argmax(1)
    found = BENCH["answers"](run.network, clips)  # as the measurement takes them
    assert (found.logits.argmax(1) == answers).all()


@pytest.mark.usefixtures("small_encoders", "one_thread")
@pytest.mark.parametrize("all_layers", [False, True])
def test_the_benchmark_answers_as_the_network_whichever_layers_it_pools(all_layers: bool) -> None:
    model = ModelConfig("encoder", encoder=NAME, pool_layers="all" if all_layers else "last")
    network = build(model, 3, BANDS)
    assert isinstance(network, Encoder)
    rng = np.random.default_rng(0)
    clips = [
        Clip(
            Utterance(str(i), Path(), "", str(i)),
            i % 3,
            rng.standard_normal((BANDS, 12 + i % 5)).astype(np.float32),
            np.zeros(BANDS, np.float32),
        )
        for i in range(24)
    ]
    x = pooled_features.layer_features(pooled_features.pooled(network, clips), 3, all_layers)
    linear_layer.set_linear_layer(
        linear_layer.FittingSet(x, clips, np.ones(len(clips)), 3).solve(
            [linear_layer.Hyperparameters(x.shape[1], 0.1)]
        ),
        network,
    )
    answers = predict(network, clips).argmax(1)
    assert len(set(answers)) == 3, "or this would prove little"
    assert (BENCH["answers"](network, clips).logits.argmax(1) == answers).all()


@pytest.mark.usefixtures("no_file")
def test_a_model_file_is_fine_tuned_as_its_run_is(
    finetuned: Answer, rooms: Path, tmp_path: Path
) -> None:
    more = record(tmp_path / "more", ("tired", "stressed"), ("u", "v", "w"), 3)
    record(more, ("tired", "stressed"), ("x", "y", "z"), 2)  # of whom it has seen two
    heard = set(about(rooms / "new")["heard"])
    known = [u for u in read_corpus(more).utterances if u.digest in heard]
    assert len(known) == 8
    places = {"run": rooms / "new", "file": rooms / "new" / "new.onnx"}
    for name, place in places.items():
        answer = emelia("finetune", place, more, *QUICK, "--out", tmp_path / name)
        assert answer.code == 0, answer.err
        assert f"{len(known)} clips left out: new has seen them before" in answer.err
        assert "new before and after" in answer.out
    run, file = (load_run(tmp_path / name).network.state_dict() for name in places)
    assert same(run, file)


def test_its_card_names_all_corpora_that_its_weights_owe_to(finetuned: Answer, rooms: Path) -> None:
    card = load(rooms / "new" / "new.onnx").card
    assert [corpus["name"] for corpus in card.corpora] == ["calls", "acted"]
    assert "acted" in card.licence


# Seen clips


@pytest.mark.usefixtures("no_file")
def test_clips_that_the_model_has_seen_are_left_out(rooms: Path, tmp_path: Path) -> None:
    mixed = record(tmp_path / "mixed", ("anger", "fear"), ("x", "y", "z"), 3)
    record(mixed, ("anger", "fear"), ("a", "b", "c"), 5)  # whom it knows, by their first three
    heard = set(about(rooms / "model")["heard"])
    known = [u for u in read_corpus(mixed).utterances if u.digest in heard]
    assert known
    answer = emelia("finetune", rooms / "model", mixed, *QUICK, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert f"{len(known)} clips left out: model has seen them before" in answer.err
    assert "has seen other clips of these speakers: the figures flatter" in answer.err
    after = about(tmp_path / "new")["parts"]
    assert not {u.id for u in known} & {id for part in after.values() for id in part}


def test_nothing_new_is_an_error_with_a_remedy(rooms: Path, tmp_path: Path) -> None:
    corpus = read_corpus(rooms / "acted")
    with pytest.raises(CorpusError, match=r"has seen all of its 18 clips.*other recordings"):
        unseen(corpus, {u.digest for u in corpus.utterances})


# Mistakes


def test_too_few_clips_of_a_label_are_refused_with_the_labels_to_keep(
    rooms: Path, tmp_path: Path
) -> None:
    few = record(tmp_path / "few", ("anger", "fear"), ("x", "y", "z"), 2)
    record(few, ("tired",), ("x", "y"), 1)
    answer = emelia("finetune", rooms / "model", few, "--out", tmp_path / "new")
    assert answer.code == 1 and not (tmp_path / "new").exists()
    (line,) = [line for line in answer.err.splitlines() if line.startswith("emelia: ")]
    assert "too few clips (2 of tired)" in line and line.endswith("--emotions anger,fear.")


@pytest.mark.parametrize(
    ("model", "words"),
    [("nowhere", "no model of this name"), ("calls", "run.json"), ("none.onnx", "none.onnx")],
)
def test_what_is_no_model_is_named(model: str, words: str, rooms: Path, tmp_path: Path) -> None:
    there = rooms / model if (rooms / model).exists() else model
    answer = emelia("finetune", there, rooms / "calls", "--out", tmp_path / "new")
    assert answer.code == 1 and answer.err.count("emelia: ") == 1
    assert words in answer.err and "Traceback" not in answer.err


# Cut short


@pytest.mark.usefixtures("no_file")
def test_an_interrupted_training_is_resumed(rooms: Path, tmp_path: Path, finetuned: Answer) -> None:
    out, real = tmp_path / "new", training._train

    def cut(setup: Any, clips: Any, epoch: int, *more: Any) -> float:
        if epoch == 2:
            raise KeyboardInterrupt
        return real(setup, clips, epoch, *more)

    words = ("finetune", rooms / "model", rooms / "calls", "--out", out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_train", cut)
        answer = emelia(*words)
    assert answer.code == 130 and "--resume goes on" in answer.err
    again = emelia(*words)
    assert again.code == 1 and "Add --resume" in again.err
    assert emelia(*words, "--resume").code == 0
    whole = (rooms / "new" / "answers.json").read_text()
    assert (out / "answers.json").read_text() == whole


def test_an_interrupted_model_file_is_made_without_training_again(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "new"
    words = ("finetune", rooms / "model", rooms / "calls", *QUICK, "--out", out)
    monkeypatch.setattr(export, "to_onnx", cut)
    answer = emelia(*words)
    assert answer.code == 130 and "Add --resume to make it" in answer.err
    before = (out / "model.safetensors").stat().st_mtime_ns
    made: list[Path] = []
    monkeypatch.setattr(command, "_export", lambda folder, writing: made.append(folder) or folder)
    answer = emelia(*words, "--resume")
    assert answer.code == 0, answer.err
    assert made == [out]
    assert (out / "model.safetensors").stat().st_mtime_ns == before


# The recipe


def clips(**counts: int) -> list[Utterance]:
    return [
        Utterance(f"{name}-{i}", Path(), name, "1") for name, n in counts.items() for i in range(n)
    ]


def test_the_recipe_is_that_of_the_model_but_gentler() -> None:
    strong = TrainConfig(30, 15, 32, lr=0.002, optimizer="adamw", balance="corpora",
                         samples_per_epoch=500, target_share=0.5, distill_alpha=0.5,
                         feature_distill=1.0)  # fmt: skip
    made = finetuning_recipe(replace(RECIPE, train=strong), "base", clips(calm=4, angry=4))
    assert made.name == "base, fine-tuned"
    assert (made.features, made.audio, made.augment) == (SHORT, RECIPE.audio, RECIPE.augment)
    expected = TrainConfig(6, 0, 4, lr=0.3 * 0.002, optimizer="adamw", refit=True)
    assert made.train == expected
    assert (
        finetuning_recipe(RECIPE, "base", clips(calm=4, angry=4)).train.epochs == 4
    )  # no more than it had
    assert made.digest != finetuning_recipe(RECIPE, "other", clips(calm=4)).digest


def test_few_speakers_do_not_choose_a_penalty() -> None:
    encoder = replace(RECIPE, model=ModelConfig("encoder", encoder="whisper-tiny.en"))
    assert finetuning_recipe(encoder, "base", clips(calm=4)).train.penalty == "averaged"
    drawn = finetuning_recipe(encoder, "base", clips(calm=4), prior=True)
    assert drawn.train.penalty == "prior", "where there is a layer for the same labels"
    assert drawn.train.epochs == 1, "an encoder is not trained on few clips"
    many = finetuning_recipe(encoder, "base", clips(calm=1000), prior=True)
    assert many.train.epochs == RECIPE.train.epochs
    plain = finetuning_recipe(replace(encoder, model=ModelConfig()), "b", clips(calm=4), prior=True)
    assert plain.train.penalty == "chosen", "a CNN has no layer that is solved"
    chosen = finetuning_recipe(encoder, "base", clips(calm=4), ["train.penalty=chosen"])
    assert chosen.train.penalty == "chosen"


def test_a_recipe_selected_by_corpora_is_fine_tuned_by_speakers() -> None:
    train = TrainConfig(1, nuisance_penalty=True, selection_groups="corpora", refit=True)
    model = ModelConfig("encoder", encoder="whisper-tiny.en")
    made = finetuning_recipe(replace(RECIPE, model=model, train=train), "base", clips(calm=4)).train
    assert (made.selection_groups, made.nuisance_penalty, made.refit) == ("speakers", False, True)


def test_classes_of_unequal_size_are_drawn_equally_often() -> None:
    assert finetuning_recipe(RECIPE, "base", clips(calm=4, angry=5)).train.balance == "sampling"


def test_settings_of_ones_own_come_last() -> None:
    made = finetuning_recipe(RECIPE, "base", clips(calm=4), ["train.lr=0.5", "train.epochs=40"])
    assert (made.train.lr, made.train.epochs) == (0.5, 40)
    with pytest.raises(ConfigError, match=r"train\.lrr"):
        finetuning_recipe(RECIPE, "base", clips(calm=4), ["train.lrr=0.5"])


# The split


def corpus_of(speakers: Sequence[str], clips: int, labels: Sequence[str] = ("a", "b")) -> Corpus:
    utterances = [
        Utterance(f"{label}-{speaker}-{i}", Path(), label, speaker, digest=f"{label}{speaker}{i}")
        for label in labels
        for speaker in speakers
        for i in range(clips)
    ]
    return Corpus("own", Path(), tuple(utterances))


@pytest.mark.parametrize(
    ("speakers", "split"),
    [("123", "folds-3"), ("1234567", "folds-5"), ("12", "random-75-25"), ("1", "random-75-25")],
)
def test_speakers_are_kept_apart_where_there_are_three(speakers: str, split: str) -> None:
    assert usual_split(corpus_of(speakers, 20)) == split


def test_speakers_who_are_unknown_cannot_be_kept_apart() -> None:
    assert usual_split(corpus_of([UNKNOWN_SPEAKER, "1", "2", "3"], 10)) == "random-75-25"


def test_too_few_clips_for_any_split_are_reported() -> None:
    with pytest.raises(SplitError, match=r"6 clips of 2 classes are too few.*20 clips a class"):
        usual_split(corpus_of("1", 3))


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ("xy", "the voices it is tested with are among those it learns from"),
        ("x", "the same voices may be in training and test"),  # one name tells nobody apart
    ],
)
@pytest.mark.usefixtures("no_file")
def test_shared_speakers_are_reported(rooms: Path, tmp_path: Path, people: str, told: str) -> None:
    own = record(tmp_path / "own", ("tired", "stressed"), tuple(people), 12)
    answer = emelia("finetune", rooms / "model", own, *QUICK, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert told in answer.err


def test_a_single_class_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"the single class a; expected two classes or more"):
        check_sizes(corpus_of("123", 10, "a"))
    assert check_sizes(corpus_of("123", 10)) == []
