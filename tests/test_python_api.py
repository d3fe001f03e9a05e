"""What the command line does can be done from Python, and shows itself in notebooks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from vowels import vowels

import emelia
from emelia import (
    evaluate,
    explore,
    features,
    findings,
    load,
    log_mel,
    plot,
    read_corpus,
    read_results,
    train,
)  # fmt: skip
from emelia.cli import main
from emelia.errors import ConfigError, CorpusError
from emelia.show.evaluation.figures import terminal_tables

RATE = 16_000  # Hz
MakeCorpus = Callable[..., Path]


@pytest.fixture(scope="module")
def wave() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.asarray(vowels(2.0), np.float32)


def test_a_log_mel_spectrogram_is_librosa_s(wave: np.ndarray) -> None:  # type: ignore[type-arg]
    powers = librosa.feature.melspectrogram(y=wave, sr=RATE)
    np.testing.assert_allclose(
        log_mel(wave, RATE), librosa.power_to_db(powers, ref=np.max), atol=1e-3
    )
    assert log_mel(wave, sr=RATE, preset="speech-64", mels=40).shape[0] == 40
    with pytest.raises(ConfigError, match=r"did you mean features\.mels"):
        log_mel(wave, RATE, n_mels=40)


def test_answers_show_themselves(wave: np.ndarray) -> None:  # type: ignore[type-arg]
    recognizer = load("aesdd")
    answer = recognizer.predict(wave.tolist(), sr=RATE)
    assert "\n" not in str(answer) and answer._repr_html_().count("<tr>") == 5
    timeline = recognizer.timeline({"array": wave, "sampling_rate": RATE})
    assert timeline == recognizer.timeline(wave, sr=RATE) and "speech" in str(timeline)
    assert list(timeline.to_frame().columns)[:3] == ["start", "end", "emotion"]
    assert sum(timeline.shares.values()) == pytest.approx(1)
    assert len(plot.timeline(timeline).axes) > 1
    assert plot.explanation(answer, recognizer).axes
    assert plot.spectrogram(wave, RATE).axes
    with pytest.raises(ConfigError, match="rate=8000 and sr=16000"):
        recognizer.predict(wave, 8000, sr=RATE)
    with pytest.raises(ConfigError, match="without a rate"):
        recognizer.timeline(wave)


def test_a_corpus_is_drawn_and_told_of(small_corpus: MakeCorpus) -> None:
    found = explore(small_corpus(speakers=3))
    for what in ("emotion", "speaker", "seconds", "pitch"):
        assert plot.corpus(found, what).axes
    with pytest.raises(ConfigError, match="'mood'; expected emotion, speaker, seconds, level"):
        plot.corpus(found, "mood")
    assert findings(found)[0].startswith("12 clips, ")


def test_a_corpus_and_its_features_become_frames(small_corpus: MakeCorpus) -> None:
    corpus = read_corpus(small_corpus(speakers=3))
    frame = corpus.to_frame()
    assert list(frame["emotion"].unique()) == ["anger", "disgust"] and len(frame) == 12
    assert str(corpus) == "corpus: 12 clips, 3 speakers; anger 6, disgust 6"
    found = features(corpus, mels=32)
    assert found.padded().shape[:2] == (12, 32) and found.statistics().shape == (12, 64)
    assert len(found.to_frame()) == 12
    first = corpus.utterances[0]
    sound, rate = soundfile.read(first.path, dtype="float32")
    expected = log_mel(sound - sound.mean(), rate, mels=32)
    np.testing.assert_allclose(found.spectrograms[0], expected, atol=0.1)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vowels called by two emotions, of two speakers, one clip of silence, one of `fury`."""
    root = tmp_path_factory.mktemp("corpus") / "own"
    wave = vowels(1.5)
    for number, emotion in enumerate(("anger", "anger", "sadness", "sadness", "fury")):
        (root / emotion).mkdir(parents=True, exist_ok=True)
        sound = wave * np.float32(0.3 + 0.1 * number)
        soundfile.write(root / emotion / f"s{number % 2 + 1}_{number}.wav", sound, RATE)
    soundfile.write(root / "anger" / "s1_9.wav", np.full(RATE, 1e-4, np.float32), RATE)
    return root


def test_a_model_is_tested_on_own_labels(asked: Path, tmp_path: Path) -> None:
    found = evaluate("aesdd", str(asked))
    assert len(found.answers) == 5 and found.silent == 1
    assert "1 clip of fury left out: the model does not know it." in found.left_out
    assert found.confusion.shape == (5, 6) and found.answered[-1] == "no speech"
    right = [one.answer == one.truth for one in found.answers]
    assert found.scores["accuracy"] == pytest.approx(np.mean(right))
    frame = found.to_frame()
    frame.to_csv(tmp_path / "answers.csv", index=False)
    again = evaluate(tmp_path / "answers.csv")
    assert again.scores["accuracy"] == found.scores["accuracy"]
    assert {a.id: a.answer is None for a in again.answers} == {
        a.id: a.answer is None for a in found.answers
    }
    assert plot.confusion(found).axes and plot.reliability(found).axes
    fewer = evaluate(load("aesdd", emotions=["anger", "sadness"]), str(asked))
    assert fewer.classes == ("anger", "sadness")


def test_a_recording_replaced_since_its_corpus_was_read_is_left_out_by_name(
    asked: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(shutil.copytree(asked, tmp_path / "own"))
    changed = corpus.utterances[0]
    shutil.copy2(corpus.utterances[-1].path, changed.path)
    found = evaluate("aesdd", corpus)
    assert changed.id not in {one.id for one in found.answers}
    assert sum("has changed since the corpus was read" in line for line in found.left_out) == 1
    under = emelia.stress("aesdd", corpus, conditions=["white noise 20 dB"])
    assert changed.id not in {one.id for one in under.plain.answers}
    assert f"{changed.path}: has changed since the corpus was read" in under.failed[0]


def test_long_recordings_are_made_of_the_clips_of_a_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        wave = vowels(2, 110 + 5 * number)
        place = (
            tmp_path / "own" / f"speaker{number % 2}" / ("sadness" if number % 4 > 1 else "anger")
        )
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{number}.wav", wave, 16_000)
    (place / "broken.wav").write_bytes(b"RIFF")
    ticks: list[tuple[int, int]] = []
    found = evaluate(
        "aesdd", tmp_path / "own", on_progress=lambda done, total: ticks.append((done, total))
    )
    assert ticks[-1][0] <= ticks[-1][1]
    assert list(found.joined) == [10, 30, 60]
    for own in found.joined.values():
        assert {one.speaker for one in own.answers} == {"speaker0", "speaker1"}
        # The group with the broken clip cannot be joined; the others are, one recording each.
        assert 3 <= len(own.answers) <= 4
    for table in terminal_tables(found):
        table.print()
    assert "joined to 60 s" in capsys.readouterr().out
    assert not evaluate("aesdd", tmp_path / "own", long=False).joined


def test_the_table_of_a_scoring_is_tested_against_a_corpus(asked: Path, tmp_path: Path) -> None:
    tally = emelia.score(asked, tmp_path / "scores.csv", model="aesdd")
    assert len(tally.to_frame()) == 6
    told = evaluate(tmp_path / "scores.csv", str(asked))
    direct = evaluate("aesdd", str(asked))
    same = {one.id: one.answer for one in direct.answers}
    names = {one.id: one.answer for one in told.answers}
    emotions = {id_: None if a is None else told.classes[a] for id_, a in names.items()}
    assert all(
        emotions[id_] == (None if a is None else direct.classes[a]) for id_, a in same.items()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("truth,answer\nanger,\n", "none of its 1 row"),
        ("file,confidence\na.wav,1\n", "no column tells an answer"),
        ("file,emotion\na.wav,anger\n", "no column tells what is true"),
    ],
)
def test_a_table_without_answers_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(CorpusError, match=message):
        evaluate(tmp_path / "a.csv")


def test_the_command_leaves_a_page_and_says_what_comes_next(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "a.csv", tmp_path / "page"
    words = ["evaluate", "aesdd", str(asked), "-o", str(out), "--report", str(page)]
    monkeypatch.setattr("sys.argv", ["emelia", *words])
    monkeypatch.setattr("emelia.console.for_people", lambda: True)
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr()
    assert "aesdd on own: 5 clips" in told.out and "no speech" in told.out
    assert f"Next: emelia evaluate aesdd {asked} --emotions anger,sadness" in told.out
    html = (page / "report.html").read_text(encoding="utf-8")
    assert "Confusion matrix" in html and "1 clip of fury left out" in html
    assert out.read_text().startswith("id,speaker,gender,truth,answer,confidence,unsure,p_anger")


def test_a_training_and_its_results_become_frames(small_corpus: MakeCorpus, tmp_path: Path) -> None:
    tiny = {"model.width": 2, "features.mels": 16}
    run = train(
        "variable-3", small_corpus(), settings=tiny, epochs=2, out=tmp_path / "run", fold="1"
    )
    assert len(run.to_frame()) == 2 and "accuracy" in str(run)
    assert len(run.evaluation().answers) == 4
    assert plot.curves(run).axes and plot.confusion(run).axes
    found = read_results(tmp_path / "run")
    assert list(found.to_frame()["recipe"]) == ["variable-3"] and len(found.answers()) == 4
    page = emelia.report(tmp_path / "run", tmp_path / "page").read_text(encoding="utf-8")
    assert "How it learnt" in page
