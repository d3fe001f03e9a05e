"""A model file opens or says why not; a recording gets the same answer however it comes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from conftest import RATE, voice
from numpy.typing import NDArray
from onnx import TensorProto, helper
from toy_model import BANDS, CARD, HOP, LABELS, expected, graph, toy_model, write_toy

import emelia
from emelia import Recognizer, load
from emelia.audio.speech.speech_runs import Run as Stretch
from emelia.config import AudioConfig
from emelia.errors import AudioError, ConfigError, MissingExtraError, ModelError, TooLongError
from emelia.use import onnxfile, pooling, recognizer
from emelia.use import waveforms as sources
from emelia.use.batching import batches, groups, in_order
from emelia.use.bundled import find_model, shipped
from emelia.use.model import Model, read_card

Wave = NDArray[np.float32]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file whose answers are known."""
    return write_toy(tmp_path_factory.mktemp("models") / "toy.onnx")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any sound for speech: a detector hears that synthetic voices are none."""
    monkeypatch.setattr(
        pooling, "speech_runs", lambda w: [Stretch(0, len(w))] if np.abs(w).max() > 0 else []
    )


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Twelve voices of different lengths, in files."""
    paths = []
    for number in range(12):
        path = tmp_path / f"{number:02}.wav"
        seconds = 0.3 + 0.37 * (number * 5 % 12)
        soundfile.write(path, voice(110 + 20 * number, seconds, number), RATE)
        paths.append(path)
    return paths


def opening(path: Path) -> str:
    """What opening a wrong file says; both ways of opening say the same."""
    with pytest.raises(ModelError) as refused:
        Model(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    return str(refused.value)


# Model files


def test_the_card_and_the_names_of_a_model_are_there(toy: Path) -> None:
    found = load(toy)
    assert found.card == CARD == read_card(toy)
    assert (found.emotions, found.threshold) == (LABELS, 0.4)


def test_what_is_no_model_file_is_named_with_the_reason(tmp_path: Path, toy: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    assert "no such model file" in opening(wrong)
    assert "is a folder" in opening(tmp_path)
    wrong.touch()
    assert "is empty" in opening(wrong)
    wrong.write_bytes(b"RIFF and so on, which is no model at all")
    assert "not an ONNX file" in opening(wrong)
    whole = toy.read_bytes()
    wrong.write_bytes(whole[: len(whole) // 2])
    assert "not an ONNX file, or a damaged one" in opening(wrong)


def test_a_file_that_is_too_large_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(10**12)  # sparse: it takes no room
    assert "over 200 MB" in opening(large)


@pytest.mark.parametrize("seed", range(8))
def test_damage_anywhere_is_a_model_error_or_harmless(
    seed: int, tmp_path: Path, toy: Path, wave: Wave
) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "damaged.onnx"
    for _ in range(15):
        data = bytearray(toy.read_bytes())
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            found = load(path).probabilities([wave[:8000]])
        except (ModelError, ConfigError):
            continue
        assert np.isfinite(found).all()


def test_an_onnx_file_of_others_has_no_card(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(toy_model(card=None).SerializeToString())
    assert "not a model of emelia: it has no card" in opening(path)


def test_a_card_of_a_later_version_says_to_install_a_newer_emelia(tmp_path: Path) -> None:
    card = json.dumps({**json.loads(CARD.to_json()), "schema": 2})
    path = write_toy(tmp_path / "newer.onnx", card=card)
    assert "schema '2'" in opening(path) and "Install a newer emelia" in opening(path)


@pytest.mark.parametrize(
    "change", [{"labels": ["anger"]}, {"threshold": 7}, {"features": {"m": 1}}]
)
def test_a_damaged_card_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    card = json.dumps({**json.loads(CARD.to_json()), **change})
    assert "its card is damaged" in opening(write_toy(tmp_path / "card.onnx", card=card))


def test_weights_in_another_file_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    path = tmp_path / "outside.onnx"
    model = toy_model()
    for tensor in model.graph.initializer:
        if tensor.name == "bias":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=secret.name)
    path.write_bytes(model.SerializeToString())
    assert "keeps weights in other files" in opening(path)


def test_weights_in_another_file_are_found_wherever_they_hide() -> None:
    hidden = TensorProto(name="hidden", data_location=TensorProto.EXTERNAL)
    constant = helper.make_node("Constant", [], ["c"], value=hidden)
    inner = helper.make_graph([constant], "inner", [], [])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    sparse = onnx.SparseTensorProto(values=hidden)
    places = [
        helper.make_graph([constant], "g", [], []),
        helper.make_graph([branch], "g", [], []),
        helper.make_graph([], "g", [], [], sparse_initializer=[sparse]),
    ]
    models = [helper.make_model(place) for place in places]
    function = helper.make_function("d", "f", [], ["c"], [constant], [])
    models.append(helper.make_model(graph(), functions=[function]))
    for model in models:
        assert onnxfile.refers_to_other_files(model.SerializeToString())
    assert not onnxfile.refers_to_other_files(toy_model().SerializeToString())


def test_graphs_nested_without_end_are_damage() -> None:
    data = b""
    for _ in range(200):  # a graph in an attribute in a node, and so on
        for field in (6, 5, 1):
            size, length = len(data), b""
            while size > 127:
                length, size = length + bytes([size & 127 | 128]), size >> 7
            data = bytes([field << 3 | 2]) + length + bytes([size]) + data
    model = bytes([7 << 3 | 2]) + b"\xff\xff\x03" + data
    with pytest.raises(ValueError, match=r"nested too deeply|cut short"):
        onnxfile.refers_to_other_files(model)


def changed(node: str, **fields: Any) -> onnx.GraphProto:
    """The toy's graph with other inputs or outputs for the node that makes `node`."""
    made = graph()
    for item in made.node:
        if node in item.output:
            for name, value in fields.items():
                if isinstance(value, list):
                    del getattr(item, name)[:]
                    getattr(item, name).extend(value)
                else:
                    setattr(item, name, value)
    return made


def test_an_operation_that_no_model_of_ours_has_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_toy(tmp_path / "custom.onnx", changed("sizes", op_type="Own", domain="strange"))
    assert "it uses the operator strange:Own, which no model of emelia does" in opening(path)
    assert capfd.readouterr() == ("", ""), "ONNX Runtime prints nothing of its own"


def test_a_graph_of_another_contract_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    fewer = graph()
    del fewer.output[-1]
    assert "output frames is missing" in opening(write_toy(path, fewer))
    more = graph()
    more.input.append(helper.make_tensor_value_info("rate", TensorProto.INT64, ["clips"]))
    assert "takes wave, samples, rate; expected wave, samples" in opening(write_toy(path, more))
    for name, kind in (("logmel", TensorProto.FLOAT), ("frames", TensorProto.INT64)):
        flat = graph()
        other = next(node for node in flat.node if name in node.output)
        other.output[0] = f"{name}_before"
        flat.node.append(helper.make_node("Flatten", [f"{name}_before"], [name]))
        for user in flat.node[:-1]:
            user.input[:] = [f"{name}_before" if i == name else i for i in user.input]
        place = [value.name for value in flat.output].index(name)
        flat.output[place].CopyFrom(helper.make_tensor_value_info(name, kind, ["a", "b"]))
        text = opening(write_toy(path, flat))
        assert f"output {name} is " in text and "expected tensor(" in text


def test_a_graph_that_gives_no_probabilities_is_found_out(tmp_path: Path, wave: Wave) -> None:
    path = write_toy(
        tmp_path / "no.onnx", changed("probabilities", op_type="Identity", attribute=[])
    )
    with pytest.raises(ModelError, match=r"no\.onnx: its graph gives no probabilities"):
        load(path).probabilities([wave])
    labels = ("anger", "fear", "happiness")
    fewer = load(write_toy(tmp_path / "fewer.onnx", labels=labels))
    with pytest.raises(ModelError, match="gives no probabilities"):
        fewer.probabilities([wave])


def test_a_graph_that_fails_says_so_in_one_line(
    tmp_path: Path, wave: Wave, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_toy(
        tmp_path / "fails.onnx", changed("scores", input=["mean", "logits_of_no_shape"])
    )
    broken = graph()
    broken.initializer.append(onnx.numpy_helper.from_array(np.zeros((3, 4), np.float32), "odd"))
    for node in broken.node:
        if "scores" in node.output:
            node.input[1] = "odd"
    opening(path)
    try:
        found = load(write_toy(path, broken))
    except ModelError:
        return
    with pytest.raises(ModelError, match="its graph fails") as refused:
        found.probabilities([wave])
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


# Names


def test_shipped_models_are_found_by_name_and_a_near_miss_is_told() -> None:
    assert {"aesdd"} <= set(shipped())
    assert find_model("aesdd") == shipped()["aesdd"]
    with pytest.raises(ModelError, match=r"'aesd': .* Did you mean aesdd\? There are: .*aesdd"):
        load("aesd")
    with pytest.raises(ModelError, match=r"\./aesdd: no such model file|no such model file"):
        load("./aesdd")
    with pytest.raises(ModelError, match=r"gone\.onnx: no such model file"):
        load("gone.onnx")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_model_keeps_the_contract(name: str, wave: Wave) -> None:
    found = load(name)
    assert found.card.name == name
    (shares,) = found.probabilities([wave])
    assert shares.shape == (len(found.card.labels),) and shares.sum() == pytest.approx(1, abs=1e-4)


# One recording


def test_an_answer_is_the_one_the_network_defines(toy: Path, heard: None, wave: Wave) -> None:
    answer = load(toy).predict(wave, RATE)
    shares = expected(wave)
    assert answer.emotion == LABELS[shares.argmax()]
    assert answer.confidence == pytest.approx(shares.max(), abs=1e-5)
    assert list(answer.probabilities) == list(LABELS)
    np.testing.assert_allclose(list(answer.probabilities.values()), shares, atol=1e-5)
    frames = wave.size // HOP + 1
    assert answer.logmel.shape == (BANDS, frames) and answer.saliency.shape == (frames,)
    assert (answer.hop, answer.seconds, answer.speech) == (0.01, 2.0, 2.0)
    assert (answer.saliency < 0).any(), "sadness has a negative weight"


def test_an_answer_as_a_dictionary_has_all_but_the_arrays(
    toy: Path, heard: None, wave: Wave
) -> None:
    found = json.loads(json.dumps(load(toy).predict(wave, RATE).to_dict()))
    assert list(found) == ["emotion", "confidence", "unsure", "seconds", "speech", "probabilities"]
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_path_bytes_and_samples_of_any_kind_get_the_same_answer(
    toy: Path, heard: None, wave: Wave, tmp_path: Path
) -> None:
    path = tmp_path / "φωνή 1.wav"
    soundfile.write(path, wave, RATE, subtype="PCM_16")
    whole = np.round(wave * 2**15).astype(np.int16)
    asked = load(toy)
    ways = [
        asked.predict(path),
        asked.predict(str(path)),
        asked.predict(path.read_bytes()),
        asked.predict(whole, RATE),
        asked.predict(whole.astype(np.int32) * 2**16, RATE),
        asked.predict(whole / 2**15, RATE),
        asked.predict(np.stack([whole, whole], 1), RATE),
        asked.predict(np.stack([whole, whole]), RATE),
        asked.predict(whole[:, None], np.int64(RATE)),
    ]
    for answer in ways:
        assert answer.probabilities == pytest.approx(ways[0].probabilities, abs=1e-5)
        assert answer.seconds == 2.0


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 30.0, 3e4])
def test_the_level_of_a_recording_does_not_matter(
    scale: float, toy: Path, heard: None, wave: Wave
) -> None:
    asked = load(toy)
    found, usual = asked.predict(scale * wave, RATE), asked.predict(wave, RATE)
    assert found.probabilities == pytest.approx(usual.probabilities, abs=1e-4)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "holds no samples"),
        (np.array(0.5), r"shape \(\): expected \(T,\), \(T, channels\)"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((400, 300)), "which dimension is time"),
        (np.zeros((2, 2)), "which dimension is time"),
        (np.array([0.1, np.nan]), "not numbers"),
        (np.array([0.1, np.inf]), "not numbers"),
        (np.array([0.1, 1e300]), "not numbers"),
        (np.zeros(9, np.int64), "array of int64, .* int16, int32 or float"),
        (np.zeros(9, bool), "array of bool"),
        (np.zeros(9, complex), "array of complex128"),
        (np.array(["a"]), "array of <U1"),
        (np.array([None]), "array of object"),
    ],
)
def test_samples_that_are_no_recording_are_refused(
    samples: NDArray[Any], message: str, toy: Path
) -> None:
    with pytest.raises(AudioError, match=message):
        load(toy).predict(samples, RATE)


def test_samples_come_with_a_rate_and_recordings_without(toy: Path, tone: Any) -> None:
    asked = load(toy)
    with pytest.raises(ConfigError, match="samples without a rate"):
        asked.predict(np.zeros(100, np.float32))
    with pytest.raises(ConfigError, match="knows its own rate"):
        asked.predict(tone(), RATE)
    with pytest.raises(AudioError, match="5 Hz; expected a rate of"):
        asked.predict(np.zeros(100, np.float32), 5)


def test_another_rate_is_resampled(toy: Path, heard: None) -> None:
    asked = load(toy)
    for rate in (8_000, 44_100, 48_000):
        time = np.arange(2 * rate) / rate
        answer = asked.predict((0.5 * np.sin(2 * np.pi * 220 * time)).astype(np.float32), rate)
        assert answer.seconds == 2.0
        assert answer.probabilities["anger"] == pytest.approx(
            expected(np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE))[0], abs=0.01
        )


@pytest.mark.parametrize("samples", [1, 2, 100, 159, 161, 5000])
def test_the_shortest_recordings_have_an_answer_or_no_speech(samples: int, toy: Path) -> None:
    for model in (toy, "aesdd"):
        asked = load(model)
        sound = voice(150, 1, 0)[:samples]
        assert asked.predict(sound, RATE).emotion in (*asked.emotions, "no speech")
        shares = asked.probabilities([sound])
        assert np.isfinite(shares).all() and shares.shape == (1, len(asked.emotions))


def test_five_minutes_is_the_longest_and_the_message_points_to_the_timeline(
    toy: Path, heard: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LONGEST", 2.0)
    asked = load(toy)
    long = tmp_path / "long.wav"
    soundfile.write(long, voice(140, 2.1, 0), RATE)
    for source, rate in ((long, None), (long.read_bytes(), None), (voice(140, 2.1, 0), RATE)):
        with pytest.raises(TooLongError, match=r"the limit is 2 s\. .*--timeline"):
            asked.predict(source, rate)
    assert asked.predict(voice(140, 2.0, 0), RATE).seconds == 2.0


def test_silence_is_no_speech_and_never_reaches_the_network(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = load(toy)
    monkeypatch.setattr(asked._model, "run", None)
    for samples in (np.zeros(RATE, np.float32), np.zeros(RATE, np.int16), 0.1 * np.ones(RATE)):
        answer = asked.predict(samples, RATE)
        assert (answer.emotion, answer.confidence, answer.unsure) == ("no speech", 0, False)
        assert answer.probabilities == {} and answer.seconds == 1.0 and answer.speech == 0
        assert answer.logmel.shape == (BANDS, 0) and answer.saliency.shape == (0,)
        assert answer.to_dict()["emotion"] == "no speech"


def test_what_the_graph_leaves_to_us_is_prepared_as_in_training(
    tmp_path: Path, heard: None, wave: Wave
) -> None:
    audio = AudioConfig(trim_db=30)
    quiet_ends = np.concatenate([np.zeros(RATE, np.float32), wave, np.zeros(RATE, np.float32)])
    asked = load(write_toy(tmp_path / "clean.onnx", audio=audio))
    answer = asked.predict(quiet_ends, RATE)
    assert answer.seconds == 4.0
    assert np.count_nonzero(answer.saliency) < 2.1 * RATE / HOP, "the silence was trimmed"
    prepared = emelia.audio.prepare(quiet_ends, RATE, audio)
    np.testing.assert_allclose(list(answer.probabilities.values()), expected(prepared), atol=1e-5)
    np.testing.assert_allclose(asked.probabilities([quiet_ends])[0], expected(prepared), atol=1e-5)


# What may be answered


def test_the_threshold_tells_sure_from_unsure(toy: Path, heard: None, wave: Wave) -> None:
    confidence = load(toy).predict(wave, RATE).confidence
    for threshold, unsure in ((0.0, False), (confidence - 0.01, False), (confidence + 0.01, True)):
        asked = load(toy, threshold=threshold)
        assert asked.threshold == threshold
        assert asked.predict(wave, RATE).unsure is unsure
    assert not load(toy, threshold=confidence).predict(wave, RATE).unsure, "not below it"
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="threshold"):
            load(toy, threshold=wrong)


def test_only_some_emotions_are_answered_and_share_all_probability(
    toy: Path, heard: None, wave: Wave
) -> None:
    asked = load(toy, emotions=["Happy", "anger", "anger"])
    assert asked.emotions == ("anger", "happiness"), "in the order of the model"
    all_of_them = expected(wave)[[0, 2]]
    answer = asked.predict(wave, RATE)
    shares = all_of_them / all_of_them.sum()
    assert answer.emotion == "happiness" and list(answer.probabilities) == ["anger", "happiness"]
    np.testing.assert_allclose(list(answer.probabilities.values()), shares, atol=1e-5)
    np.testing.assert_allclose(asked.probabilities([wave])[0], shares, atol=1e-5)
    whole = load(toy).predict(wave, RATE)
    assert load(toy, threshold=0.9).predict(wave, RATE).unsure
    assert not load(toy, emotions=["anger", "happiness"], threshold=0.9).predict(wave, RATE).unsure
    assert answer.confidence > whole.probabilities["happiness"]
    sad = load(toy, emotions=["sadness", "anger"]).predict(wave, RATE)
    np.testing.assert_array_equal(sad.saliency, whole.saliency)  # both answer sadness


def test_where_no_probability_is_left_nothing_is_preferred(toy: Path) -> None:
    asked = load(toy, emotions=["anger", "fear"])
    assert asked._restricted(np.array([0, 0, 1, 0], np.float32)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("emotions", "message"),
    [
        (["anger", "sadnes"], r"'sadnes' is unknown\. Did you mean sadness\?"),
        (["anger", "boredom"], r"'boredom' is unknown\. The model knows anger, fear"),
        (["anger"], "emotions: anger; expected two or more"),
        (["anger", "angry"], "expected two or more"),
        ([], "emotions: none; expected two or more"),
    ],
)
def test_emotions_that_cannot_be_chosen_from_are_refused(
    emotions: list[str], message: str, toy: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(toy, emotions=emotions)


def test_no_threads_compute_nothing(toy: Path) -> None:
    with pytest.raises(ConfigError, match="threads: 0"):
        load(toy, threads=0)


# Many recordings


@pytest.mark.parametrize("threads", [1, 3])
def test_many_answers_come_in_order_and_equal_single_ones(
    threads: int, toy: Path, heard: None, clips: list[Path]
) -> None:
    asked = load(toy)
    many = list(asked.predict_many([*clips, *clips[::-1]], threads=threads))
    assert len(many) == 24
    for path, answer in zip([*clips, *clips[::-1]], many, strict=True):
        alone = asked.predict(path)
        assert isinstance(answer, emelia.Prediction)
        assert answer.to_dict() == alone.to_dict() or answer.probabilities == pytest.approx(
            alone.probabilities, abs=1e-4
        )
        assert answer.seconds == alone.seconds
        np.testing.assert_allclose(answer.logmel, alone.logmel, atol=1e-4)
        np.testing.assert_allclose(answer.saliency, alone.saliency, atol=1e-4)


def test_a_recording_that_cannot_be_used_is_an_error_in_its_place(
    toy: Path, heard: None, clips: list[Path], tmp_path: Path
) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE, np.float32), RATE)
    sources = [clips[0], tmp_path / "gone.wav", b"nothing", silent, clips[1].read_bytes(), b""]
    found = list(load(toy).predict_many(sources))
    kinds = [type(a).__name__ for a in found]
    assert kinds[0] == kinds[3] == kinds[4] == "Prediction"
    assert all(isinstance(found[place], AudioError) for place in (1, 2, 5))
    assert "gone.wav: no such file" in str(found[1])
    assert found[3].emotion == "no speech"  # type: ignore[union-attr]


def test_a_missing_extra_costs_only_the_recording_that_needs_it(
    toy: Path, heard: None, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = sources.decode

    def no_media(source: Any, **options: Any) -> Any:
        if source == clips[1]:
            raise MissingExtraError("decoding m4a", "PyAV", "media")
        return usual(source, **options)

    monkeypatch.setattr(sources, "decode", no_media)
    first, second, third = load(toy).predict_many(clips[:3])
    assert isinstance(second, AudioError)
    assert f"{clips[1]}: decoding m4a needs PyAV" in str(second)
    assert isinstance(first, emelia.Prediction) and isinstance(third, emelia.Prediction)


def test_recordings_are_taken_only_as_they_are_needed(
    toy: Path, heard: None, clips: list[Path]
) -> None:
    taken: list[Path] = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(clips[len(taken) % len(clips)])
            yield taken[-1]

    answers = load(toy).predict_many(endless(), threads=2)
    next(answers)
    assert len(taken) < 10, "the first answer does not wait for many recordings"
    for _ in range(30):
        next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(taken) < 100
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPool")]


def test_reading_ahead_and_groups_are_bounded() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(in_order(pool, lambda n: n * n, range(50), 4)) == [n * n for n in range(50)]
    cut = list(groups(range(20), lambda _: 1, most=4, largest=100))
    assert [len(g) for g in cut] == [1, 2, 4, 4, 4, 4, 1] and [n for g in cut for n in g] == [
        *range(20)
    ]
    assert [len(g) for g in groups([60] * 5, lambda n: n, most=64, largest=100)] == [1, 2, 2]
    assert list(groups([], len, most=4, largest=100)) == []


def test_batches_hold_like_sizes_and_each_place_once() -> None:
    sizes = np.random.default_rng(0).integers(1, 400, 60).tolist()
    made = list(batches(sizes, 1000))
    assert sorted(place for batch in made for place in batch) == list(range(60))
    for batch in made:
        assert len(batch) * max(sizes[place] for place in batch) <= 1000
    longest = [max(sizes[place] for place in batch) for batch in made]
    assert longest == sorted(longest)
    assert list(batches([5000, 1], 1000)) == [[1], [0]], "what is too long is heard alone"


def test_eight_threads_get_the_same_answers(toy: Path, heard: None, clips: list[Path]) -> None:
    for asked in (load(toy), load("aesdd")):
        alone = [asked.predict(path).probabilities for path in clips]
        with ThreadPoolExecutor(8) as pool:
            found = [a.probabilities for a in pool.map(asked.predict, 4 * clips)]
        for number, probabilities in enumerate(found):
            assert probabilities == pytest.approx(alone[number % 12], abs=1e-6)


def test_the_shipped_model_answers_alone_as_in_a_batch(heard: None, clips: list[Path]) -> None:
    asked = load("aesdd")
    for path, answer in zip(clips, asked.predict_many(clips), strict=True):
        assert isinstance(answer, emelia.Prediction)
        alone = asked.predict(path)
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-4)
        np.testing.assert_allclose(answer.logmel, alone.logmel, atol=1e-3)


def test_low_level_probabilities_are_in_the_order_of_the_waves(toy: Path) -> None:
    waves = [voice(140, s, n) for n, s in enumerate((2.0, 0.4, 9.0, 1.0, 9.5, 3.0, 0.2))]
    found = load(toy).probabilities(waves)
    np.testing.assert_allclose(found, [expected(w) for w in waves], atol=1e-5)
    assert load(toy).probabilities([]).shape == (0, 4)
    with pytest.raises(AudioError, match="expected finite samples"):
        load(toy).probabilities([waves[0], np.zeros(0, np.float32)])
    with pytest.raises(AudioError, match="expected finite samples"):
        load(toy).probabilities([np.full(100, np.nan, np.float32)])


# Real speech


@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_real_speech_is_heard_also_when_very_quiet(
    gain: float, corpora: Callable[[str], Path]
) -> None:
    wave, rate = soundfile.read(corpora("aesdd") / "anger" / "a01 (2).flac")
    answer = load("aesdd").predict(gain * wave, rate)
    assert answer.emotion in answer.probabilities and answer.speech > 0
    loud = load("aesdd").predict(wave, rate)
    assert answer.probabilities == pytest.approx(loud.probabilities, abs=1e-3)


def test_predicting_needs_nothing_heavy(toy: Path, tone: Any) -> None:
    code = (
        "import sys, emelia\n"
        f"emelia.load({str(toy)!r}).predict({str(tone())!r})\n"
        "heavy = {'torch', 'librosa', 'scipy', 'sklearn', 'matplotlib', 'pandas', 'onnx'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_promised_names_are_the_recognizers_own() -> None:
    assert emelia.load is recognizer.load and emelia.Recognizer is Recognizer
