"""A model file is enough to go on from: the network comes back, and so does what it has seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
from conftest import RATE, voice
from test_export import LENGTHS, InTorch, see_that_batches_change_nothing, sounds, trained

from emelia import export, load
from emelia.cli import main
from emelia.config import Card
from emelia.config.card import KEY
from emelia.config.operators import SEAL_KEY, is_intact, sealed
from emelia.corpora import read_corpus
from emelia.corpora.seen import SeenClips
from emelia.errors import ModelError
from emelia.learn.export import build
from emelia.learn.export.graph import Graph
from emelia.learn.export.modelfile import Session, halved, to_onnx, with_card
from emelia.learn.export.parity import HALF, Limits, compare, synthesised
from emelia.learn.export.restore import load_model_run, metadata_of, settings_of
from emelia.learn.study.evaluation import evaluate
from emelia.learn.training.runs import Run, save_answers, save_run

DIGESTS = [f"{number:02x}" * 32 for number in range(5)]


@dataclass
class Made:
    """A run and its graph."""

    run: Run
    model: onnx.ModelProto
    card: Card

    def write(self, path: Path, half: bool = False) -> Path:
        model = halved(self.model) if half else self.model
        path.write_bytes(with_card(model, self.card, metadata_of(self.run, model)))
        return path


def made(name: str) -> Made:
    """A network with random weights, traced."""
    run = replace(trained(name), about={"heard": DIGESTS})
    card = Card("some", run.classes, run.recipe.features, run.recipe.audio, 1.7, 0.5,
                settings=settings_of(run.recipe), split={"name": "loso", "seed": 3})  # fmt: skip
    return Made(run, to_onnx(Graph(run.recipe, run.network, 1.7)), card)


@pytest.fixture(scope="module")
def small() -> Made:
    return made("variable")


def see_that_it_is_the_same(run: Run, other: Run) -> None:
    """Recipe, classes and every weight."""
    assert (other.recipe, other.classes) == (run.recipe, run.classes)
    assert other.recipe.digest == run.recipe.digest
    want, got = run.network.state_dict(), other.network.state_dict()
    assert want.keys() == got.keys()
    assert [key for key in want if not torch.equal(want[key], got[key])] == []
    assert [key for key in want if want[key].dtype != got[key].dtype] == []


def see_that_it_is_nearly_the_same(run: Run, other: Run) -> None:
    """Matrices and kernels rounded to 16 bits, all else untouched."""
    for key, value in run.network.state_dict().items():
        want = value.half().float() if value.dim() > 1 else value
        assert torch.equal(want, other.network.state_dict()[key]), key


# There and back


def test_a_network_comes_back_from_its_file(small: Made, tmp_path: Path) -> None:
    found = load_model_run(small.write(tmp_path / "some.onnx"))
    see_that_it_is_the_same(small.run, found)
    assert not found.network.training
    assert (found.about["split"], found.about["seed"]) == ("loso", 3)
    see_that_it_is_nearly_the_same(
        small.run, load_model_run(small.write(tmp_path / "half.onnx", half=True))
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["resized", "emelia", "mel", "whisper"])
def test_every_network_comes_back_and_its_file_computes_the_same(name: str, tmp_path: Path) -> None:
    it = made(name)
    see_that_it_is_the_same(it.run, load_model_run(it.write(tmp_path / "whole.onnx")))
    see_that_it_is_nearly_the_same(
        it.run, load_model_run(it.write(tmp_path / "half.onnx", half=True))
    )
    graph = Graph(it.run.recipe, it.run.network, 1.7)
    session, half = Session(it.model), Session(halved(it.model))
    see_that_batches_change_nothing(session)
    for lengths in (LENGTHS, (1,), (60 * RATE,)):
        waves = sounds(*lengths)
        want = InTorch(graph)(waves)
        for got, value in zip(session(waves), want, strict=True):
            np.testing.assert_allclose(got, value, atol=2e-3)
        np.testing.assert_allclose(session(waves)[0], want[0], atol=1e-5)
        np.testing.assert_allclose(half(waves)[0], want[0], atol=HALF.difference)
    found = compare(it.run, half, 1.7, synthesised(it.run), lambda done: None, HALF)
    assert found.clips == 48 and found.same >= HALF.same


# Seen clips


def test_shortened_digests_are_recognised() -> None:
    seen = SeenClips.from_text(SeenClips(DIGESTS).to_text())
    assert len(SeenClips(DIGESTS).to_text()) == SeenClips.SHORT * len(DIGESTS)
    assert all(digest in seen for digest in DIGESTS) and "ff" * 32 not in seen
    assert all(digest in SeenClips(DIGESTS) for digest in DIGESTS) and "" not in seen
    assert SeenClips.from_text("") == SeenClips()


def test_a_network_from_a_file_is_not_tested_with_clips_it_has_seen(
    small: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "cache"))
    for number, emotion in enumerate(("anger", "fear", "anger", "fear")):
        (tmp_path / "corpus" / emotion).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "corpus" / emotion / f"a_{number}.wav"
        soundfile.write(path, voice(120, 0.4, number), RATE)
    corpus = read_corpus(tmp_path / "corpus")
    seen = [utterance.digest for utterance in corpus.utterances[:3]]
    known = replace(small, run=replace(small.run, about={"heard": seen}))
    found = evaluate(load_model_run(known.write(tmp_path / "some.onnx")), corpus)
    assert (found.seen, len(found.answers)) == (3, 1)


# Weights in 16 bits


class Swapped:
    """Answers with the classes one place further, where a file would be."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, waves: Any) -> Any:
        return [np.roll(self.session(waves)[0], 1, axis=1)]


def test_half_keeps_answers_and_saves_space(small: Made) -> None:
    half = halved(small.model)
    onnx.checker.check_model(half)
    kinds = {t.name: t.data_type for t in half.graph.initializer}
    kept = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
    assert kinds["network.output.weight"] == onnx.TensorProto.FLOAT16
    assert {"front_end.cosines", "front_end.filters", "network.output.bias"} <= kept
    found = compare(small.run, Session(half), 1.7, synthesised(small.run), lambda done: None, HALF)
    assert found.same == 1 and 1e-7 < found.largest < HALF.difference
    see_that_batches_change_nothing(Session(half))


def test_half_is_refused_where_weights_do_not_bear_it(small: Made) -> None:
    other = Made(trained("variable"), onnx.ModelProto(), small.card)
    other.run.network.output.weight.data[0, 0] = 1e5  # more than 16 bits can hold
    other.model.CopyFrom(small.model)
    for tensor in other.model.graph.initializer:
        if tensor.name == "network.output.weight":
            values = other.run.network.output.weight.detach().numpy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    with np.errstate(over="ignore"):
        half = halved(other.model)
    with pytest.raises(ModelError, match="export without --half"):
        compare(other.run, Session(half), 1.7, synthesised(other.run), lambda done: None, HALF)


def test_answers_that_change_are_refused(small: Made) -> None:
    session: Any = Swapped(Session(small.model))
    with pytest.raises(ModelError, match=r"answers \d+ of 48 clips otherwise.*99\.5 %.*Do not"):
        compare(small.run, session, 1.7, synthesised(small.run), lambda done: None,
                Limits(1.0, HALF.same, "Do not."))  # fmt: skip


@pytest.fixture
def command(
    small: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """`emelia export` in a folder with the run `run`, whose graph is not traced again."""
    logits = [[2.0, 0.1, 0.2], [0.1, 2.0, 0.3], [0.3, 0.1, 2.0]]
    answers = [
        {"id": str(i), "truth": i % 3, "speaker": str(i), "logits": logits[i % 3]} for i in range(6)
    ]
    save_run(tmp_path / "run", small.run.recipe, small.run.classes, small.run.network, [],
             small.run.about)  # fmt: skip
    save_answers(tmp_path / "run", validation=answers, test=answers)
    monkeypatch.setattr(build, "to_onnx", lambda graph: small.model)
    monkeypatch.setattr("emelia.learn.export.calibrate.temperature", lambda answers: 1.7)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["emelia", "export", "run", *words])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return (code, *capsys.readouterr())

    yield run


def test_export_half_says_so_and_is_what_was_checked(
    command: Callable[..., tuple[int, str, str]], small: Made
) -> None:
    code, _, err = command("--half")
    assert code == 0, err
    card, found = load(Path("run.onnx")).card, load_model_run(Path("run.onnx"))
    assert (card.variant, card.parity["limit"], card.parity["same"]) == ("float16", 5e-3, 1)
    assert 1e-7 < card.parity["largest"] < 5e-3  # no float32 file is that far off
    assert "ONNX, float16" in Path("run.md").read_text(encoding="utf-8")
    see_that_it_is_nearly_the_same(small.run, found)
    assert all(digest in found.about["heard"] for digest in DIGESTS)
    command("--out", "whole.onnx")
    assert load(Path("whole.onnx")).card.variant == "float32"
    see_that_it_is_the_same(small.run, load_model_run(Path("whole.onnx")))


STRESS = {
    "corpus": "calls", "clips": 8, "speakers": 2, "accuracy": 0.5,
    "conditions": [
        {"category": "background", "name": "babble 20 dB", "wanted": "90 % unchanged",
         "accuracy": 0.5, "unchanged": 0.75, "uar_lost": 0.01, "unsure": 0.2, "silent": 0.0,
         "passed": False}
    ],
}  # fmt: skip


def test_a_model_file_gets_another_card_and_stays_what_it_is_otherwise(
    small: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, figures = small.write(tmp_path / "old.onnx", half=True), tmp_path / "stress.json"
    figures.write_text(json.dumps(STRESS), encoding="utf-8")
    new = tmp_path / "new.onnx"

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["emelia", "export", str(file), *words])
        with pytest.raises(SystemExit) as left:
            raise SystemExit(main())
        return int(left.value.code or 0)

    assert run("--out", str(new), "--title", "Greek", "--stress", str(figures)) == 0
    before, after = load(file), load(new)
    assert after.card == replace(before.card, name="new", title="Greek", stress=STRESS)
    assert is_intact(new.read_bytes()) and new.read_bytes().count(SEAL_KEY.encode()) == 1
    assert "babble 20 dB" in new.with_suffix(".md").read_text(encoding="utf-8")
    see_that_it_is_the_same(load_model_run(file), load_model_run(new))
    wave = voice(300, 1.0, 0)
    assert after.predict(wave, RATE).probabilities == before.predict(wave, RATE).probabilities
    assert export(new, tmp_path / "third.onnx", licence="MIT").exists()  # what is not given stays
    kept = load(tmp_path / "third.onnx").card
    assert (kept.licence, kept.title, kept.stress) == ("MIT", "Greek", STRESS)
    capsys.readouterr()
    assert run("--out", str(new), "--half", "--force") == 2
    assert "is a model file; only its card can change" in capsys.readouterr().err


# Files that training cannot go on from


def _without(name: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (tensor,) = (t for t in model.graph.initializer if t.name == name)
        model.graph.initializer.remove(tensor)

    return change


def _resized(model: onnx.ModelProto) -> None:
    (tensor,) = (t for t in model.graph.initializer if t.name == "network.output.bias")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(7, np.float32), tensor.name))


def _card(**values: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (pair,) = (p for p in model.metadata_props if p.key == KEY)
        pair.value = json.dumps({**json.loads(pair.value), **values})

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_card(settings={}), "does not say how it was trained"),
        (_card(settings={"model": {"name": "huge"}}), "settings this version does not know"),
        (_card(settings={"model": {"name": "emelia"}}), "missing or of another size"),
        (_card(settings={"model": {"name": "variable", "layers": 8}}), "fit no network"),
        (_card(settings={"model": 3}), "settings this version does not know"),
        (_card(variant="int8"), "rounded to 8 bits"),
        (_card(schema=2), "Install a newer emelia"),
        (_without("network.output.weight"), "weights output.weight are missing"),
        (_resized, "weights output.bias are missing or of another size"),
    ],
)
def test_a_file_that_lacks_something_says_what_to_do(
    small: Made, tmp_path: Path, change: Callable[[onnx.ModelProto], None], told: str
) -> None:
    path = small.write(tmp_path / "some.onnx")
    model = onnx.load(path)
    change(model)
    path.write_bytes(sealed(model.SerializeToString()))
    with pytest.raises(ModelError, match=rf"some\.onnx: .*{told}") as caught:
        load_model_run(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"\xff\xffno model", "damaged"), (b"", "no card")],
)
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"some\.onnx: .*{told}"):
        load_model_run(path)


def test_settings_of_a_card_leave_nothing_out(small: Made) -> None:
    recipe = small.run.recipe
    assert {*settings_of(recipe), "features", "audio"} == set(asdict(recipe))
