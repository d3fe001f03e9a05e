"""What a model has learnt is kept where held-out clips say so, and else it stays as it was."""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import RATE, voice
from test_finetune import ENCODER, PITCHES, RECIPE, Answer, corpus_of, emelia, train
from tiny import ROOT
from tiny_encoder import make_known

from emelia import load, metrics
from emelia.cli.commands import finetune as command
from emelia.config import TrainConfig
from emelia.corpora import read_corpus
from emelia.learn.export import build
from emelia.learn.export.restore import load_model_run
from emelia.learn.export.temperature import Answers, read_answers, temperature
from emelia.learn.study.keeping import Figures, answers_by, judge, restricted
from emelia.learn.training.runs import load_run
from emelia.show.card.page import to_markdown

BENCH: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "finetune_kept.py"))
OTHER = {"anger": "fear", "fear": "anger"}
SPEAKERS = "pqrst"  # the first tests; whom the others are like is for each test to say


def record(folder: Path, swapped: str = "", speakers: str = SPEAKERS, clips: int = 4) -> Path:
    """Anger and fear of some speakers; those who are swapped show one as others the other."""
    for label, other in OTHER.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for place, speaker in enumerate(speakers):
            pitch = PITCHES[other if speaker in swapped else label] * (1 + 0.02 * place)
            for clip in range(clips):
                seed = 1000 * ord(speaker) + 10 * clip + len(label)
                sound = voice(pitch, 0.3, seed)
                soundfile.write(folder / label / f"{speaker}_{clip:02}.wav", sound, RATE)
    return folder


@dataclass(frozen=True)
class Rooms:
    """A model of three emotions, and what it became where it learnt nothing of use."""

    base: Path  # a run folder
    corpus: Path
    out: Path
    answer: Answer
    words: tuple[str | Path, ...]  # the command

    @property
    def file(self) -> Path:
        return self.out / f"{self.out.name}.onnx"


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    """Two speakers it learns from are as the model knows them, two the other way round.

    So what it learns of three of them is wrong for the fourth: of those held out it answered
    every other one, and now answers fewer. Of the speaker who tests it answered none.
    """
    room = tmp_path_factory.mktemp("keeping")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMELIA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        make_known(patch, room / "weights")
        acted = record(room / "acted", speakers="abc")
        for clip in sorted((acted / "anger").iterdir()):  # a third label, that nobody asks for
            sound, _ = soundfile.read(clip)
            noise = np.random.default_rng(len(clip.name)).standard_normal(len(sound))
            (acted / "calm").mkdir(exist_ok=True)
            soundfile.write(acted / "calm" / clip.name, 0.1 * noise, RATE)
        base = train(room / "base", acted, replace(ENCODER, train=TrainConfig(1, 0, 4)))
        corpus = record(room / "own", swapped="prs")
        out = room / "own-base"
        words = ("finetune", base, corpus, "--out", out)
        yield Rooms(base, corpus, out, emelia(*words), words)


def as_before(rooms: Rooms, *speakers: str) -> Answers:
    """What the model as it was says of these speakers."""
    clips = [u for u in read_corpus(rooms.corpus).utterances if u.speaker in speakers]
    return answers_by(restricted(load_run(rooms.base), ("anger", "fear")), clips)


def warning(answer: Answer) -> str:
    (line,) = [line for line in answer.err.splitlines() if "not kept" in line]
    return line


# What is not better


def test_what_answers_held_out_clips_no_better_is_not_kept(rooms: Rooms) -> None:
    assert rooms.answer.code == 0, rooms.answer.err
    answers = read_answers(rooms.out, 2)["validation"]
    assert set(answers.speakers) == set(SPEAKERS[1:]), "each answered by what had not seen it"
    right = int((answers.logits.argmax(1) == answers.truth).sum())
    before = as_before(rooms, *SPEAKERS[1:])
    was_right = int((before.logits.argmax(1) == before.truth).sum())
    assert right < 8 < 12 < was_right < 20, "of 32, of which half are as it knows them"
    line = warning(rooms.answer)
    assert f"of 32 held-out clips it is right on {right} (UAR" in line
    assert f"base as it was on {was_right} (UAR" in line
    assert f"emelia export {rooms.out}" in line


def test_test_clips_have_no_say(rooms: Rooms) -> None:
    rows = {line.split()[0]: line.split() for line in rooms.answer.out.splitlines() if line.split()}
    assert float(rows["after"][1]) > float(rows["before"][1])
    assert "not kept" in rooms.answer.err, "though the test, which only counts, says otherwise"


def test_figures_of_what_is_not_kept_are_not_read_as_those_of_the_file(rooms: Rooms) -> None:
    told = " ".join(rooms.answer.out.split())
    assert "What it learnt, not kept: base before and after, on the same 8 test clips" in told
    assert "The model file is the one before. After what it learnt: UAR +50.0 points" in told


def test_the_file_is_the_unchanged_model_with_the_labels_of_the_corpus(rooms: Rooms) -> None:
    before, file = load_run(rooms.base), load_model_run(rooms.file)
    assert before.classes == ("anger", "calm", "fear") and file.classes == ("anger", "fear")
    old, new = before.network.state_dict(), file.network.state_dict()
    for name, value in new.items():
        wanted = old[name][[0, 2]] if name.startswith("output.") else old[name]
        assert (value == wanted).all(), name
    clip = rooms.corpus / "fear" / "q_00.wav"
    said = emelia("predict", "--model", rooms.file, clip)
    assert said.code == 0 and "fear" in said.out, said.err


def test_its_confidence_is_that_of_held_out_clips(rooms: Rooms) -> None:
    card, asked = load(rooms.file).card, as_before(rooms, *SPEAKERS[1:])
    assert card.temperature == pytest.approx(temperature(asked), abs=1e-3)
    assert card.metrics["validation"]["clips"] == 32 and card.metrics["test"]["clips"] == 8
    for part, speakers in (("validation", SPEAKERS[1:]), ("test", SPEAKERS[:1])):
        found = as_before(rooms, *speakers)
        wanted = metrics.uar(found.truth, found.logits.argmax(1))
        assert card.metrics[part]["uar"][0] == pytest.approx(wanted, abs=1e-4)


def test_its_card_says_what_happened(rooms: Rooms) -> None:
    card = load(rooms.file).card
    assert card.unchanged.startswith("This is base as it was: of 32 held-out clips of own")
    assert card.title == "base as it was, calibrated on own"
    assert [corpus["name"] for corpus in card.corpora] == ["acted"], "its weights owe to no other"
    assert card.split["clips"] == {"validation": 32, "test": 8}
    page = to_markdown(card)
    assert card.unchanged in page and "The epoch" not in page and "Made once more" not in page
    told = emelia("models", rooms.file)
    assert told.code == 0 and "as it was: of 32 held-out" in " ".join(told.out.split())


def test_held_out_clips_count_as_seen(rooms: Rooms) -> None:
    heard = load_model_run(rooms.file).about["heard"]
    for clip in read_corpus(rooms.corpus).utterances:
        assert (clip.digest in heard) == (clip.speaker != SPEAKERS[0])


@pytest.mark.slow
def test_the_fine_tuned_network_can_be_exported_all_the_same(rooms: Rooms, tmp_path: Path) -> None:
    file = tmp_path / "taught.onnx"
    answer = emelia("export", rooms.out, "--out", file)
    assert answer.code == 0, answer.err
    card = load(file).card
    assert card.unchanged == "" and card.recipe == "tiny, fine-tuned"
    old, new = (load_model_run(path).network.output.weight for path in (rooms.file, file))
    assert not (old == new).all()


@pytest.mark.slow
def test_an_interrupted_decision_is_the_same_when_it_is_made_again(
    rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    words = (*rooms.words[:-1], tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr(build, "to_onnx", cut)
        answer = emelia(*words)
    assert answer.code == 130 and "Add --resume to make it" in answer.err
    told = warning(answer).replace(str(tmp_path / "new"), "")
    for _ in range(2):  # also where the file is there already
        answer = emelia(*words, "--resume")
        assert answer.code == 0, answer.err
        assert warning(answer).replace(str(tmp_path / "new"), "") == told
        assert load(tmp_path / "new" / "new.onnx").card.unchanged


# What is better, or cannot be compared


@dataclass
class Written:
    """What a model file would be made of."""

    unchanged: str = "nothing was written"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Spare the seconds that a model file takes."""
    found = Written()

    def note(folder: Path, writing: Any) -> Path:
        found.unchanged = writing.run.about.get("unchanged", "")
        return folder / "none.onnx"

    monkeypatch.setattr(command, "_export", note)
    return found


def test_what_answers_held_out_clips_better_is_kept(
    rooms: Rooms, tmp_path: Path, written: Written
) -> None:
    own = record(tmp_path / "own", swapped=SPEAKERS)  # all the other way round
    answer = emelia("finetune", rooms.base, own, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert "What it learnt is kept: of 32 held-out clips it is right on 3" in answer.out
    assert "base as it was on " in answer.out
    assert "not kept" not in answer.err + answer.out and written.unchanged == ""
    assert "The model file is the one before" not in answer.out


def test_with_labels_that_it_lacks_there_is_nothing_to_compare_with(
    rooms: Rooms, tmp_path: Path, written: Written
) -> None:
    own = record(tmp_path / "own", swapped="qr")
    (own / "fear").rename(own / "fright")
    answer = emelia("finetune", rooms.base, own, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert "nothing to compare with; base has no fright, so what it learnt is kept" in answer.out
    assert written.unchanged == ""


def test_a_network_that_is_no_better_is_not_kept(
    rooms: Rooms, tmp_path: Path, written: Written
) -> None:
    base = train(tmp_path / "cnn", rooms.corpus.parent / "acted", RECIPE)
    own = record(tmp_path / "own")
    still = ("--set", "train.lr=1e-12", "--epochs", "2", "--emotions", "anger,fear")
    answer = emelia("finetune", base, own, *still, "--out", tmp_path / "new")
    assert answer.code == 0, answer.err
    assert "as it was" in written.unchanged and "not kept" in answer.err


# The rule


def answers(logits: Any, truth: Any = (0, 0, 1, 1)) -> Answers:
    ids = tuple(map(str, range(len(truth))))
    return Answers(ids, ids, ids, ids, np.array(truth), np.array(logits, dtype=float))


GOOD = answers([(2, 0), (2, 0), (0, 2), (1, 0)])  # three are right
SURER = answers([(9, 0), (9, 0), (0, 9), (1, 0)])  # so are three, and the wrong one is unsure
BAD = answers([(2, 0), (2, 0), (1, 0), (1, 0)])
WILD = answers([(1, 0), (1, 0), (0, 1), (30, 0)])  # three are right, the fourth is wrong and sure


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [(BAD, GOOD, True), (GOOD, BAD, False), (GOOD, GOOD, False), (GOOD, SURER, True),
     (SURER, GOOD, False), (BAD, WILD, False)],
    ids=["more right", "fewer right", "the same", "as many, surer", "as many, less sure",
         "more right, but surest of what is wrong"],
)  # fmt: skip
def test_what_is_better(before: Answers, after: Answers, better: bool) -> None:
    assert judge(before, after).better is better


def test_figures_count_what_is_right_and_weigh_classes_alike() -> None:
    """At the best temperature of two clips in three right of each class."""
    found = Figures.of(
        answers([(2, 0), (2, 0), (0, 2), (0, 2), (0, 2), (2, 0)], (0, 0, 0, 1, 1, 1))
    )
    assert (found.right, found.uar) == (4, pytest.approx(2 / 3))
    entropy = -(2 * np.log(2 / 3) + np.log(1 / 3)) / 3
    assert found.loss == pytest.approx(entropy, abs=1e-4)
    uneven = Figures.of(answers([(2, 0)] * 4 + [(0, 2)], (0, 0, 0, 1, 1)))
    assert (uneven.right, uneven.uar) == (4, 0.75)
    # Three clips of the one class are sure and right, the clip of the other is told wrongly.
    lone = Figures.of(answers([(4, 0)] * 3 + [(4, 0)], (0, 0, 0, 1)))
    chance = 1 / (1 + np.exp(-4 / temperature(answers([(4, 0)] * 4, (0, 0, 0, 1)))))
    assert lone.loss == pytest.approx(-(np.log(chance) + np.log(1 - chance)) / 2, rel=1e-3)


def test_a_temperature_makes_no_difference() -> None:
    verdict = judge(GOOD, replace(GOOD, logits=7 * GOOD.logits))
    assert verdict.after.loss == pytest.approx(verdict.before.loss, abs=1e-6)


def test_all_classes_weigh_the_same_however_many_clips_they_have() -> None:
    truth = (0, 0, 0, 0, 0, 0, 1)
    often = answers([(1, 0)] * 7, truth)  # six of seven, but of one class
    fair = answers([(1, 0)] * 3 + [(0, 1)] * 4, truth)  # four of seven
    assert judge(often, fair).better and not judge(fair, often).better


def test_answers_to_other_clips_are_not_compared() -> None:
    others = replace(GOOD, ids=("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="different clips"):
        judge(GOOD, others)


def test_a_network_answers_the_same_for_some_of_its_classes(rooms: Rooms) -> None:
    run, clips = load_run(rooms.base), read_corpus(rooms.corpus).utterances
    some = restricted(run, ("fear", "anger"))
    both = answers_by(some, clips)
    every = answers_by(replace(run, classes=("anger", "calm", "fear")), clips)
    np.testing.assert_allclose(both.logits, every.logits[:, [2, 0]], atol=1e-5)
    assert restricted(run, run.classes) is run


# The measurement


@pytest.mark.parametrize(("speakers", "teachers"), [("1234", 3), ("123456", 4)])
def test_the_benchmark_tests_with_speakers_that_are_not_trained_on(
    speakers: str, teachers: int
) -> None:
    corpus = corpus_of(speakers, 4, ("a", "b", "c"))
    few, more = (BENCH["draw"](corpus, count, 1) for count in (5, 10))
    heard = (*few.train, *few.validation)
    assert Counter(u.emotion for u in heard) == {"a": 5, "b": 5, "c": 5}
    known = {u.speaker for u in heard}
    assert len(known) == teachers and len({u.speaker for u in few.validation}) == 1
    assert {u.speaker for u in few.test} == set(speakers) - known
    assert set(heard) < {*more.train, *more.validation} and more.test == few.test
    assert BENCH["draw"](corpus, 5, 1) == few != BENCH["draw"](corpus, 5, 2)


def test_the_measurement_counts_what_is_kept_and_what_is_worse() -> None:
    sure = dict.fromkeys(("before", "taught", "kept"), (1, 2, 8))
    gained, lost = judge(BAD, GOOD), judge(GOOD, BAD)
    found = ((0.4, gained), (0.9, lost), (0.7, gained))
    draws = [BENCH["Draw"](0.5, after, verdict, sure) for after, verdict in found]
    assert [one.kept for one in draws] == [0.4, 0.5, 0.7]
    line = BENCH["line"]("own", 5, draws)
    assert line[:2] == ("own", "5") and line[4].startswith("53.3")
    assert line[5:] == ("2 of 3", "1", *["50 of 25"] * 3)
