"""A run becomes one file that answers as the network does, and tells what it is worth."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
from conftest import RATE, voice
from numpy.typing import NDArray

from emelia import load
from emelia.cli import main
from emelia.config import (
    PRESETS,
    AudioConfig,
    Card,
    FeatureConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
)
from emelia.config.card import COORDINATES, INPUTS, KEY, OFFSET, OUTPUTS
from emelia.config.thresholds import Thresholds
from emelia.corpora import read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.errors import ModelError, RunError
from emelia.learn.data.features import FrontEnd, TraceableFrontEnd
from emelia.learn.export import build, calibrate, modelfile
from emelia.learn.export.calibrate import threshold
from emelia.learn.export.card import corpora_of, usual_licence, without_folders
from emelia.learn.export.card_figures import figures
from emelia.learn.export.graph import Graph
from emelia.learn.export.modelfile import Session, batch, to_onnx
from emelia.learn.export.parity import compare, recordings, synthesised
from emelia.learn.export.restore import load_model_run
from emelia.learn.export.temperature import Answers, for_calibration, read_answers, temperature
from emelia.learn.study.cell import run_cell
from emelia.learn.study.tasks import tasks
from emelia.learn.training.runs import Run, load_run, new_network
from emelia.metrics import calibration_error
from emelia.show.card.page import to_markdown
from emelia.use.opening.rules import check_graph

Wave = NDArray[np.float32]
SHORT = FeatureConfig(n_fft=256, window=200, hop=80, mels=16)
PCEN = replace(SHORT, kind="pcen")
MFCC = replace(SHORT, kind="mfcc", mfccs=12, standardise="band")
RECIPES = {
    "variable": Recipe(features=SHORT, model=ModelConfig("variable", 3, 4)),
    "padded with the mean": Recipe(
        features=replace(SHORT, standardise="none"),
        model=ModelConfig("variable", 4, 2, padding="mean"),
    ),
    "resized": Recipe(features=SHORT, model=ModelConfig("resized", 2, 3, frames=50)),
    "pcen": Recipe(features=PCEN, model=ModelConfig("emelia", width=3)),
    "resized mfcc": Recipe(features=MFCC, model=ModelConfig("resized", 2, 3, frames=50)),
    "emelia": Recipe(features=SHORT, model=ModelConfig("emelia", width=4)),
    "as it comes": Recipe(features=SHORT, audio=AudioConfig(dc=False, level="none")),
    "trimmed": Recipe(features=SHORT, audio=AudioConfig(trim_db=30)),
    "mel": Recipe(
        features=PRESETS["whisper"], model=ModelConfig("encoder", encoder="mel", pool_layers="all")
    ),
    "whisper": Recipe(
        features=PRESETS["whisper"],
        model=ModelConfig("encoder", encoder="whisper-tiny.en", blocks=2, pool_layers="all"),
    ),
}
SHIPPED = sorted(Path(build.__file__).parents[2].glob("use/models/*.onnx"))
LENGTHS = (1, 2, 79, 80, 81, 400, 3_999, 4_001, 16_000)  # samples; 4000 make 51 frames
every_recipe = pytest.mark.parametrize("name", RECIPES)


def trained(name: str) -> Run:
    """A network with random weights, and running figures that batch norm has really seen."""
    torch.manual_seed(1)
    recipe = RECIPES[name]
    network = new_network(recipe, 3)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    frames = network.fixed_frames or 60
    bands = FrontEnd(recipe.features).bands
    network(torch.randn(6, 1, bands, frames), torch.full((6,), frames))
    return Run(recipe, ("anger", "fear", "sadness"), network.eval(), {})


class InTorch:
    """A graph in the place of the file it becomes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @torch.no_grad()
    def __call__(self, waves: list[Wave]) -> list[NDArray[Any]]:
        put = batch(waves)
        out = self.graph(*(torch.from_numpy(put[name]) for name in INPUTS))
        return [value.numpy() for value in out]


Asks = Callable[[list[Wave]], list[NDArray[Any]]]


def sounds(*lengths: int) -> list[Wave]:
    """Voices with an offset, of so many samples."""
    made = [voice(120 + 20 * i, n / RATE + 0.01, i)[:n] for i, n in enumerate(lengths)]
    return [(0.1 * wave + 0.02).astype(np.float32) for wave in made]


def see_that_batches_change_nothing(
    ask: Asks, most: float = 1e-4, of_saliency: float = 1e-4
) -> None:
    """A clip has alone the outputs it has among longer and shorter ones."""
    waves = sounds(*LENGTHS)
    together = ask(waves)
    for place, wave in enumerate(waves):
        p, spec, saliency, frames = (value[place] for value in together)
        alone = ask([wave])
        assert frames == alone[3][0] == alone[1].shape[2] == alone[2].shape[2]
        np.testing.assert_allclose(p, alone[0][0], atol=most)
        # Of loud cepstra; logmel agrees far better.
        np.testing.assert_allclose(spec[:, :frames], alone[1][0], atol=2e-3)
        np.testing.assert_allclose(saliency[:, :frames], alone[2][0], atol=of_saliency)
        assert not saliency[:, frames:].any()


# The front end's second way


CONFIGS = [
    FeatureConfig(standardise="none"),
    FeatureConfig(n_fft=512, window=400, hop=160, mels=64, standardise="clip"),
    FeatureConfig(n_fft=512, window=401, hop=150, mels=40, standardise="none"),
    FeatureConfig(n_fft=513, window=400, hop=160, mels=40, standardise="none"),
    FeatureConfig(n_fft=513, window=401, hop=137, mels=40, standardise="band"),
    FeatureConfig(n_fft=512, window=300, hop=512, mels=20, standardise="none"),
    FeatureConfig(n_fft=512, window=512, hop=512, mels=20, fmin=100, fmax=4000),
    FeatureConfig(n_fft=64, window=2, hop=7, mels=4, standardise="none"),
    FeatureConfig(n_fft=64, window=3, hop=3, mels=4, standardise="none"),
    FeatureConfig(kind="mfcc", mfccs=40, standardise="band"),
    FeatureConfig(kind="mfcc", mfccs=13, standardise="none", top_db=60),
    FeatureConfig(kind="pcen", n_fft=512, window=400, hop=160, mels=40, standardise="none"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_both_ways_to_a_spectrogram_agree(config: FeatureConfig) -> None:
    waves = sounds(1, config.hop - 1, config.hop, 9_000, 32_123)
    put = batch(waves)
    wave, samples = (torch.from_numpy(put[name]) for name in INPUTS)
    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 5e-3)):
        want = FrontEnd(config, dtype)(wave.to(dtype), samples)
        got = TraceableFrontEnd(config, dtype)(wave.to(dtype), samples)
        assert want[0].shape == got[0].shape
        for a, b in zip(want, got, strict=True):
            torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


# The graph


@every_recipe
def test_the_graph_answers_as_training_does(name: str) -> None:
    run = trained(name)
    session: Any = InTorch(Graph(run.recipe, run.network, 0.7))
    ticks: list[int] = []
    found = compare(run, session, 0.7, synthesised(run), ticks.append)
    assert (found.clips, ticks[-1], found.same) == (48, 48, 1)
    assert found.largest < 5e-5


@every_recipe
def test_a_clip_in_a_batch_is_a_clip_alone(name: str) -> None:
    run = trained(name)
    see_that_batches_change_nothing(InTorch(Graph(run.recipe, run.network)))


def test_level_and_offset_of_a_recording_do_not_matter() -> None:
    run = trained("emelia")
    ask = InTorch(Graph(run.recipe, run.network))
    (wave,) = sounds(8_000)
    want = ask([wave])[0]
    for other in (0.001 * wave, wave - 0.1, 3 * wave + 1):
        np.testing.assert_allclose(ask([other])[0], want, atol=2e-4)
    untouched = InTorch(Graph(trained("as it comes").recipe, run.network))
    assert np.abs(untouched([wave])[0] - untouched([3 * wave + 1])[0]).max() > 1e-3


def test_samples_past_the_end_of_a_clip_change_nothing() -> None:
    run = trained("emelia")
    ask = InTorch(Graph(run.recipe, run.network)).graph
    wave = torch.from_numpy(sounds(8_000)[0])[None]
    samples = torch.tensor([8_000])
    noisy = torch.cat([wave, torch.ones(1, 4_000)], 1)
    with torch.no_grad():
        torch.testing.assert_close(ask(noisy, samples)[0], ask(wave, samples)[0])


@every_recipe
def test_silence_has_an_answer_too(name: str) -> None:
    run = trained(name)
    outputs = InTorch(Graph(run.recipe, run.network))([np.zeros(n, np.float32) for n in (1, 5_000)])
    assert all(np.isfinite(value).all() for value in outputs)
    np.testing.assert_allclose(outputs[0].sum(axis=1), 1, atol=1e-6)


def test_a_graph_that_differs_from_the_network_is_refused() -> None:
    run = trained("variable")
    session: Any = InTorch(Graph(run.recipe, trained("variable").network, 0.7))
    session.graph.network.output.bias.data[0] += 0.01
    with pytest.raises(ModelError, match=r"made-\d+: .* differs .* by 0\.00.*Nothing was written"):
        compare(run, session, 0.7, synthesised(run), lambda done: None)


# The file


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emelia", "padded with the mean", "resized", "resized mfcc"])
def test_a_file_computes_what_its_graph_does(name: str) -> None:
    run = trained(name)
    graph = Graph(run.recipe, run.network, 1.7)
    model = to_onnx(graph)
    check_graph(model.SerializeToString())  # as every reader does
    session = Session(model)
    see_that_batches_change_nothing(session)
    for lengths in (LENGTHS, (1,), (16_000,), (70_000, 3)):
        waves = sounds(*lengths)
        for got, want in zip(session(waves), InTorch(graph)(waves), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, atol=2e-3)
        np.testing.assert_allclose(session(waves)[0], InTorch(graph)(waves)[0], atol=1e-5)
    quiet = session([np.zeros(n, np.float32) for n in (1, 5_000)])
    assert all(np.isfinite(value).all() for value in quiet)
    assert [opset.version for opset in model.opset_import if not opset.domain] == [18]
    assert str(Path(__file__).parents[3]).encode() not in model.SerializeToString()


# From a run to a file


@dataclass
class Finished:
    """A tiny training that was exported once."""

    corpus: Path
    run: Path
    model: onnx.ModelProto


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Train on six voices, and trace the network's graph."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMELIA_CACHE", str(root / "cache"))
        for e, emotion in enumerate(("anger", "fear")):
            (root / "corpus" / emotion).mkdir(parents=True)
            for speaker in (1, 2, 3):
                for sentence in (1, 2):
                    sound = voice(110 * 1.4**e + 20 * speaker, 0.4 + 0.2 * sentence, speaker)
                    path = root / "corpus" / emotion / f"{speaker}_{sentence}.wav"
                    soundfile.write(path, sound, RATE)
        corpus = read_corpus(root / "corpus")
        recipe = replace(RECIPES["variable"], name="tiny", train=TrainConfig(epochs=3))
        task = tasks(corpus, make_split(corpus, "folds-3"), [recipe], [0])[0]
        run_cell(task, root / "run", lambda done, total, facts: None)
    run = load_run(root / "run")
    heat = temperature(read_answers(root / "run", 2)["validation"])
    return Finished(root / "corpus", root / "run", to_onnx(Graph(run.recipe, run.network, heat)))


@pytest.fixture
def traced(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """The same, whose graph is not traced again: that takes seconds."""
    monkeypatch.setattr(build, "to_onnx", lambda graph: finished.model)
    return finished


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def emelia(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Answer]]:
    """Run a command in an empty folder, as `emelia` does."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def command(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Answer(code, *capsys.readouterr())

    yield command


Emelia = Callable[..., Answer]


def files() -> list[str]:
    """What lies in the folder that commands run in."""
    return sorted(str(path) for path in Path().rglob("*"))


def test_a_run_becomes_a_file_and_a_page(emelia: Emelia, traced: Finished) -> None:
    answer = emelia("export", traced.run, "--out", "out/two.onnx", "--title", "Two | emotions")
    assert answer.code == 0, answer.err
    assert files() == ["out", "out/two.md", "out/two.onnx"]
    assert "12 clips, largest difference" in answer.err
    assert "out/two.onnx" in answer.out
    recognizer = load("out/two.onnx")
    card = recognizer.card
    assert (card.name, card.title, card.labels) == ("two", "Two | emotions", ("anger", "fear"))
    assert card.recipe == "tiny" and card.features == SHORT
    assert card.split["clips"] == {"train": 4, "validation": 4, "test": 4}
    assert card.corpora[0]["name"] == "corpus" and card.corpora[0]["clips"] == 12
    assert card.parity["clips"] == 12 and card.parity["largest"] <= 1e-4
    assert not card.parity["made"]
    assert {"torch", "onnx", "onnxruntime"} <= card.versions.keys()
    assert card.licence.startswith("Not known; name it with --licence.")
    assert Path("out/two.md").read_text(encoding="utf-8") == to_markdown(card)
    wave = voice(150, 1, 5)
    assert recognizer.probabilities([wave])[0].sum() == pytest.approx(1)


def test_a_batch_changes_nothing_in_a_file(finished: Finished) -> None:
    see_that_batches_change_nothing(Session(finished.model))


def test_a_file_says_what_the_run_had_answered(emelia: Emelia, traced: Finished) -> None:
    assert emelia("export", traced.run).code == 0
    recognizer = load(Path("run.onnx"))
    said = read_answers(traced.run, 2)
    for part in said.values():
        waves = [soundfile.read(traced.corpus / id, dtype="float32")[0] for id in part.ids]
        chances = part.probabilities(recognizer.card.temperature)
        np.testing.assert_allclose(recognizer.probabilities(waves), chances, atol=1e-4)


def test_a_file_that_is_there_is_kept(emelia: Emelia, traced: Finished) -> None:
    Path("run.onnx").write_bytes(b"precious")
    answer = emelia("export", traced.run)
    assert answer.code == 1
    assert "run.onnx: is already there" in answer.err and "--force" in answer.err
    assert Path("run.onnx").read_bytes() == b"precious"
    assert emelia("export", traced.run, "--force").code == 0
    assert load(Path("run.onnx")).card.name == "run"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nowhere",), 1, "no such run folder"),
        (("nowhere", "--out", "model.pt"), 2, "expected a name that ends with .onnx"),
        ((".",), 1, "not a run folder"),
        (("nowhere", "--name", "a/b"), 2, "expected a plain word"),
    ],
)
def test_a_mistake_is_one_line(
    emelia: Emelia, words: tuple[str, ...], code: int, told: str
) -> None:
    answer = emelia("export", *words)
    assert (answer.code, files()) == (code, [])
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: (run / "answers.json").unlink(), "has no answers.json"),
        (lambda run: (run / "answers.json").write_text("{"), "damaged"),
        (lambda run: (run / "answers.json").write_text('{"validation": []}'), "damaged"),
        (lambda run: (run / "model.safetensors").write_bytes(b"\0"), "damaged"),
        (lambda run: (run / "run.json").rename(run / "checkpoint.safetensors"), "not finished"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(
    emelia: Emelia, traced: Finished, tmp_path: Path, change: Callable[[Path], Any], told: str
) -> None:
    shutil.copytree(traced.run, tmp_path / "copy")
    change(tmp_path / "copy")
    answer = emelia("export", tmp_path / "copy")
    assert (answer.code, files()) == (1, [])
    assert told in answer.err


def test_a_corpus_that_is_gone_is_reported(
    emelia: Emelia, traced: Finished, tmp_path: Path
) -> None:
    shutil.copytree(traced.run, tmp_path / "copy")
    path = tmp_path / "copy" / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["places"] = [str(tmp_path / "gone")]
    path.write_text(json.dumps(about))
    answer = emelia("export", tmp_path / "copy")
    assert answer.code == 0
    assert "made sounds alone" in answer.err
    assert load(Path("copy.onnx")).card.parity["made"]
    assert "on 48 made sounds" in Path("copy.md").read_text(encoding="utf-8")


def test_recordings_that_are_damaged_are_counted(
    emelia: Emelia, traced: Finished, tmp_path: Path
) -> None:
    shutil.copytree(traced.run, tmp_path / "copy")
    shutil.copytree(traced.corpus, tmp_path / "corpus")
    about = json.loads((tmp_path / "copy" / "run.json").read_text(encoding="utf-8"))
    about["places"] = [str(tmp_path / "corpus")]
    (tmp_path / "copy" / "run.json").write_text(json.dumps(about))
    paths = sorted((tmp_path / "corpus").rglob("*.wav"))
    paths[0].unlink()
    paths[1].write_bytes(b"RIFF")
    answer = emelia("export", tmp_path / "copy")
    assert answer.code == 0
    assert "2 recordings of this run are gone or damaged" in answer.err
    assert load(Path("copy.onnx")).card.parity["clips"] == 10


def test_a_file_that_would_answer_otherwise_is_not_written(
    emelia: Emelia, traced: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "to_onnx", lambda graph: traced.model)
    monkeypatch.setattr("emelia.learn.export.calibrate.temperature", lambda answers: 9.0)
    answer = emelia("export", traced.run)
    assert (answer.code, files()) == (1, [])
    assert "Nothing was written" in answer.err


def test_ctrl_c_leaves_nothing(
    emelia: Emelia, traced: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "compare", interrupted)
    assert (emelia("export", traced.run).code, files()) == (130, [])


# What a confidence is worth


def guesses(size: int = 4_000, scale: float = 1.0, spread: float = 1.5) -> Answers:
    """Answers whose truth is drawn from their own softmax; logits then grown by a factor."""
    rng = np.random.default_rng(0)
    logits = spread * rng.standard_normal((size, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.random((size, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    names = tuple(str(i % 8) for i in range(size))
    return Answers(names, ("",) * size, names, ("",) * size, truth, scale * logits)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_too_much_confidence(scale: float) -> None:
    answers = guesses(scale=scale)
    found = temperature(answers)
    assert found == pytest.approx(scale, rel=0.1)
    before, after = figures(answers, ("a", "b", "c"), found, Thresholds(0.5))["ece"]
    assert after < 0.03
    assert scale == 1 or before > 0.08


def test_the_threshold_keeps_what_is_right_often_enough() -> None:
    answers = guesses()
    found = threshold(answers, 1.0)
    limit = found.limit
    chances = answers.probabilities()
    right, sure = chances.argmax(axis=1) == answers.truth, chances.max(axis=1)
    assert (
        right.mean()
        < calibrate.TARGET_ACCURACY
        <= right[sure >= limit].mean()
        < calibrate.TARGET_ACCURACY + 0.01
    )
    assert (sure >= limit).mean() > calibrate.MIN_COVERAGE
    assert found.reached and "75 %" in found.rule
    told = figures(answers, ("a", "b", "c"), 1.0, found.limits)
    assert told["accepted_accuracy"] == pytest.approx(right[sure >= limit].mean(), abs=1e-4)


def test_the_threshold_is_the_median_where_nothing_is_right_often_enough() -> None:
    hopeless = replace(answers := guesses(), truth=(answers.logits.argmax(axis=1) + 1) % 3)
    found = threshold(hopeless, 1.0)
    assert found.limit == pytest.approx(np.median(hopeless.probabilities().max(axis=1)), abs=1e-4)
    assert not found.reached and "median" in found.rule and "more than 0.0 %" in found.rule
    none = figures(hopeless, ("a", "b", "c"), 1.0, Thresholds(1.0))
    assert (none["accepted"], none["accepted_accuracy"]) == (0.0, None)


def test_figures_of_several_corpora_stand_apart() -> None:
    answers = guesses(400)
    corpora = tuple("aesdd" if i % 2 else "nemo" for i in range(400))
    found = figures(replace(answers, corpora=corpora), ("a", "b", "c"), 1.0, Thresholds(0.5))
    assert {name: own["clips"] for name, own in found["per_corpus"].items()} == {
        "aesdd": 200,
        "nemo": 200,
    }
    value, low, high = found["per_corpus"]["nemo"]["uar"]
    assert low < value < high
    own = calibration_error(answers.truth[::2], answers.probabilities()[::2])
    assert found["per_corpus"]["nemo"]["ece"] == pytest.approx(own, abs=1e-4)
    assert "per_corpus" not in figures(answers, ("a", "b", "c"), 1.0, Thresholds(0.5))
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "record",
    [
        {"truth": 2, "logits": [0.1, 0.2]},
        {"truth": 0, "logits": [0.1]},
        {"truth": 0, "logits": [0.1, float("nan")]},
        {"truth": 0, "logits": ["a", "b"]},
        {"logits": [0.1, 0.2]},
        [],
    ],
)
def test_damaged_answers_are_refused(tmp_path: Path, record: Any) -> None:
    good = {"truth": 0, "logits": [0.1, 0.2]}
    text = json.dumps({"validation": [good], "test": [good, record]})
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(RunError, match=r"answers\.json: damaged"):
        read_answers(tmp_path, 2)


# The card


def test_the_licence_of_weights_follows_that_of_the_data() -> None:
    free = {"name": "emodb", "licence": "CC0 according to its publisher"}
    bound = {"name": "nemo", "licence": "CC BY-NC-SA 4.0"}
    doubtful = {"name": "aesdd", "licence": "published for research; a mirror says CC BY 4.0"}
    assert usual_licence((free,)).startswith("The data sets no limits")
    for corpora in ((free, bound), (doubtful,), ({"name": "mine"}, bound)):
        assert usual_licence(corpora).startswith("Research and non-commercial use")
    demo = {"name": "demo", "licence": "made on your machine by eSpeak NG (GPL-3.0-or-later)"}
    for corpora in (({"name": "mine"},), (demo,), (demo, free), ()):
        assert usual_licence(corpora).startswith("Not known; name it with --licence.")
    assert "nemo (CC BY-NC-SA 4.0)" in usual_licence((free, bound))


def test_corpora_of_older_runs_are_known_by_name() -> None:
    known, own = corpora_of({"corpus": "aesdd+mine"})
    assert (known["language"], known["clips"], own) == ("Greek", 604, {"name": "mine"})
    assert corpora_of({"corpora": [{"name": "x"}], "corpus": "aesdd"}) == ({"name": "x"},)


def test_recordings_of_joined_corpora_are_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "anger").mkdir(parents=True)
        (tmp_path / name / "anger" / f"{name}.wav").touch()
    about = {
        "places": [str(tmp_path / "a"), str(tmp_path / "b")],
        "corpora": [{"name": "one"}, {"name": "two"}],
        "parts": {"train": ["one/anger/a.wav"], "test": ["two/anger/b.wav", "two/anger/c.wav"]},
    }
    assert recordings(about) == {
        "train": {"one/anger/a.wav": tmp_path / "a" / "anger" / "a.wav"},
        "test": {"two/anger/b.wav": tmp_path / "b" / "anger" / "b.wav"},
    }
    assert recordings({"parts": {"train": ["x.wav"]}}) == {"train": {}}


def test_the_page_says_what_the_card_says(emelia: Emelia, traced: Finished) -> None:
    assert emelia("export", traced.run).code == 0
    text = Path("run.md").read_text(encoding="utf-8")
    card = load(Path("run.onnx")).card
    value, low, high = (f"{100 * share:.1f}" for share in card.metrics["test"]["uar"])
    assert f"{value} ({low}–{high})" in text
    assert "no lie\n  detector" in text and "education is prohibited" in text
    other = replace(card, threshold=0.123, title="Other | title")
    assert "confidence of 0.123" in to_markdown(other)
    bare = Card("bare", ("a", "b"), SHORT, AudioConfig(), 1.0, 0.5)
    assert to_markdown(bare).startswith("# bare")


def test_the_page_of_an_older_file_in_8_bits_can_still_be_made() -> None:
    parity = {"clips": 207, "agreement": 1.0, "accuracy_change": -0.5, "speed": 1.4}
    card = Card("old", ("a", "b"), SHORT, AudioConfig(), 1.0, 0.5, variant="int8", parity=parity)
    page = to_markdown(Card.read(card.to_json()))
    assert "- ONNX, int8, 0 parameters" in page and "Checked against" not in page


@pytest.mark.parametrize("who", ["speakers", "corpora"])
def test_the_page_says_that_validation_clips_were_not_trained_on(who: str) -> None:
    corpora = tuple("aesdd" if i % 2 else "nemo" for i in range(400))
    found = figures(replace(guesses(400), corpora=corpora), ("a", "b", "c"), 1.0, Thresholds(0.5))
    train = {"refit": True, "selection_groups": who}
    card = Card("b", ("a", "b", "c"), SHORT, AudioConfig(), 1.0, 0.5, settings={"train": train})
    text = to_markdown(replace(card, metrics={"validation": found}))
    part = "corpora never heard" if who == "corpora" else "validation"
    assert f"| {part}, aesdd | 200 |" in text and f"| {part}, nemo | 200 |" in text
    assert ("had not seen the clip's corpus, as" in text) == (who == "corpora")
    assert ("every corpus has the same say" in text) == (who == "corpora")
    assert ("had not seen the clip." in text) == (who == "speakers")
    told = f"On validation clips confidence and accuracy are {100 * found['ece'][1]:.1f} points"
    assert (told in text) == (who == "corpora")
    own = ", ".join(
        f"{name} {100 * found['per_corpus'][name]['ece']:.1f}" for name in ("aesdd", "nemo")
    )
    assert (f"Corpus by corpus: {own}." in text) == (who == "corpora")


def test_held_out_corpora_weigh_the_same_in_calibration() -> None:
    plain, rare = guesses(4_000), np.arange(4_000) < 40
    answers = replace(
        plain,
        ids=tuple(map(str, range(4_000))),
        corpora=tuple("rare" if one else "frequent" for one in rare),
        logits=np.where(rare[:, None], 8.0, 1.0) * plain.logits,  # much too sure of the rare ones
    )
    assert for_calibration(answers, "speakers") is answers
    chose = for_calibration(answers, "corpora")
    assert Counter(chose.corpora) == {"rare": 3_960, "frequent": 3_960}
    assert set(chose.ids) == set(answers.ids)
    assert set(Counter(chose.ids[3_960:]).values()) == {99}, "each as often as the others"
    assert temperature(answers) < 1.3 < 2.0 < temperature(chose)
    assert threshold(chose, 1.0).limit != threshold(answers, 1.0).limit


def test_the_wanted_accuracy_is_chosen_and_reported(emelia: Emelia, traced: Finished) -> None:
    answer = emelia("export", traced.run, "--accuracy", "0.5", "--out", "low.onnx")
    assert answer.code == 0, answer.err
    card = load(Path("low.onnx")).card
    wanted = threshold(read_answers(traced.run, 2)["validation"], card.temperature, 0.5)
    assert (card.threshold, card.threshold_rule) == (wanted.limit, wanted.rule)
    assert ("the wanted accuracy is not reached" in answer.err) != wanted.reached
    text, test = Path("low.md").read_text(encoding="utf-8"), card.metrics["test"]
    assert "50 % of the accepted validation answers" in text
    assert f"On test clips it accepts {100 * test['accepted']:.1f} % of the answers" in text
    assert f"{100 * test['ece_perfect']:.1f} would be perfect" in text
    assert f"(AURC) is {100 * test['aurc']:.1f} %" in text
    assert "## Known failures" in text and "| Surest answers accepted % |" in text


@pytest.mark.parametrize("share", ["0", "1.01", "-0.5", "nan", "80"])
def test_an_accuracy_that_is_no_share_is_refused(
    emelia: Emelia, traced: Finished, share: str
) -> None:
    answer = emelia("export", traced.run, "--accuracy", share)
    assert answer.code == 2
    assert "expected a share above 0 and up to 1" in answer.err
    assert files() == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_keeps_its_promises(path: Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model)
    card = Card.read({p.key: p.value for p in model.metadata_props}[KEY])
    # The last bit of a sum may turn a rounding to 8 bits, which is why they are run one by one.
    most = (0.05, 0.5) if card.variant == "int8" else (1e-4, 1e-4)
    see_that_batches_change_nothing(Session(path.read_bytes()), *most)
    assert card.name == path.stem
    adapts = [OFFSET] if card.adaptation else []
    assert [i.name for i in model.graph.input] == [*INPUTS, *adapts]
    more = [COORDINATES] if card.adaptation else []
    assert [o.name for o in model.graph.output] == [*OUTPUTS, *more]
    assert path.with_suffix(".md").read_text(encoding="utf-8") == to_markdown(card)
    run = load_model_run(path)  # training can go on from it, with the settings of this version
    assert (run.classes, run.recipe.digest) == (card.labels, card.recipe_digest)


@pytest.mark.parametrize(
    ("split", "told"),
    [("list:some/where/four.toml", "list:four.toml"), ("loso", "loso"), ("", "")],
)
def test_a_card_names_no_folder_of_a_machine(split: str, told: str) -> None:
    assert without_folders(split) == told


def test_a_graph_for_which_memory_lacks_is_no_fault_of_the_program() -> None:
    """Protobuf tells it by an error of its own, of which nobody else knows."""

    class Full:
        def SerializeToString(self, deterministic: bool) -> bytes:
            raise Exception("Failed to serialize proto")

    with pytest.raises(MemoryError, match="Failed to serialize"):
        modelfile._serialised(Full())  # type: ignore[arg-type]
