"""A corpus is counted, measured, searched for faults, and shown on a page that loads nothing."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import browser
import numpy as np
import pytest
import soundfile
from conftest import RATE, voice
from html_page import HtmlPage

from emelia.audio import content_digest, decode
from emelia.audio.mel import log_mel
from emelia.cli import main
from emelia.config import PRESETS, SAMPLE_RATE, AudioConfig
from emelia.corpora import CORPORA, Utterance, read_corpus
from emelia.errors import CorpusError, EmeliaError, MissingExtraError
from emelia.show.page import wav

pytest.importorskip("librosa")

from emelia.processes import work
from emelia.show.explore import gravity, tables
from emelia.show.explore.data import Exploration, gather, values
from emelia.show.explore.duplicates import encoded_again, identical, same_sound
from emelia.show.explore.examples import examples
from emelia.show.explore.findings import findings, headline
from emelia.show.explore.images import write_images
from emelia.show.explore.measure import measure, remembered, unpacked
from emelia.show.explore.page import write_exploration
from emelia.show.explore.plots import classes, mel_place, ridges
from emelia.show.explore.problems import Problem, problems
from emelia.show.process import stages as steps
from emelia.show.style import png, words

# The duration in seconds once a player is ready; an event, which is no number, if it cannot be.
PLAYS = "e => new Promise(r => { e.oncanplay = () => r(e.duration); e.onerror = r; e.load() })"
Manifest = list[tuple[str, str, str, str, str]]  # file, emotion, speaker, sentence, gender


def write_manifest(root: Path, rows: Manifest) -> Path:
    path = root / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "emotion", "speaker", "sentence", "gender"), *rows])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three emotions of a woman and a man in two sentences, and one of each fault."""
    root = tmp_path_factory.mktemp("explored") / "studio"
    root.mkdir()
    rows: Manifest = []
    for e, emotion in enumerate(("anger", "fear", "sadness")):
        for speaker, gender in (("ann", "female"), ("bob", "male")):
            for sentence in (1, 2):
                seconds = 1.0 + 0.4 * e + 0.2 * sentence
                pitch = (220.0 if speaker == "ann" else 120.0) * 1.2**-e
                sound = voice(pitch, seconds, seed=100 * e + 10 * sentence + len(gender))
                name = f"{emotion}-{speaker}-{sentence}.wav"
                soundfile.write(root / name, sound, RATE)
                rows.append((name, emotion, speaker, str(sentence), gender))
    first, _ = soundfile.read(root / rows[0][0])
    quiet = voice(150, 1.5, seed=7)
    faults = {
        "silent.wav": np.zeros(RATE),
        "quiet.wav": 0.0005 * quiet / quiet.std(),
        "mostly.wav": np.concatenate([voice(150, 0.6, seed=8), np.zeros(4 * RATE)]),
        "clipped.wav": np.clip(4 * voice(130, 1.5, seed=9), -0.8, 0.8),
        "copy.wav": first,
    }
    for name, sound in faults.items():
        soundfile.write(root / name, sound, RATE, subtype="FLOAT" if name == "quiet.wav" else None)
        rows.append((name, "anger", "ann", "1", "female"))
    soundfile.write(root / "again.mp3", 0.5 * first, RATE)
    rows.append(("again.mp3", "fear", "ann", "1", "female"))
    (root / "empty.wav").write_bytes(b"")
    (root / "broken.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    rows += [(name, "fear", "bob", "2", "male") for name in ("empty.wav", "broken.wav")]
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="module")
def explored(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exploration]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMELIA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield gather(read_corpus(folder))


@pytest.fixture(scope="module")
def wrong(explored: Exploration) -> list[Problem]:
    return problems(explored)


@pytest.fixture(scope="module")
def made(
    explored: Exploration, wrong: list[Problem], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write_exploration(
        explored, wrong, tmp_path_factory.mktemp("page"), "emelia explore studio"
    )


@pytest.fixture(scope="module")
def page(made: Path) -> HtmlPage:
    return HtmlPage(made.read_text(encoding="utf-8"))


def of_kind(wrong: list[Problem], kind: str) -> list[tuple[str, ...]]:
    return [problem.clips for problem in wrong if problem.kind == kind]


def rows(table: tables.Table) -> dict[str, dict[str, str]]:
    """A table's rows by their first cell."""
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


# Measuring


def test_measures_are_those_of_the_recording(folder: Path, explored: Exploration) -> None:
    clip = next(c for c in explored.clips if c.utterance.id == "sadness-bob-2.wav")
    wave, rate = decode(folder / "sadness-bob-2.wav")
    measures = clip.measures
    assert measures.rate == rate
    assert measures.seconds == pytest.approx(wave.size / rate)
    assert measures.frames == 1 + wave.size // 512
    assert measures.level == pytest.approx(20 * np.log10(wave.std()), abs=0.01)
    assert measures.peak == pytest.approx(np.abs(wave).max())
    assert measures.pitch == pytest.approx(120 * 1.2**-2, rel=0.1)
    assert measures.clipped == 0
    assert clip.format == "WAV, 16 bit"
    assert clip.channels == 1


def test_spectrograms_are_the_founding_studys() -> None:
    librosa = pytest.importorskip("librosa")
    wave = voice(150, 1.0, seed=1)
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(y=wave, sr=16_000, n_mels=128, n_fft=2048, hop_length=512),
        ref=np.max,
    )
    np.testing.assert_allclose(log_mel(wave, PRESETS["founding"]), expected, atol=1e-4)
    assert log_mel(wave[:100], PRESETS["founding"]).shape == (128, 1)


def test_what_was_measured_is_not_measured_again(
    folder: Path, explored: Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("emelia.show.explore.measure.decode_again", refuse)
    again = gather(explored.corpus)
    np.testing.assert_equal(
        [astuple(clip.measures) for clip in again.clips],
        [astuple(clip.measures) for clip in explored.clips],
    )


def test_two_files_of_one_name_are_two_problems(tmp_path: Path) -> None:
    for emotion, data in (("anger", b""), ("fear", b"no sound")):
        (tmp_path / emotion).mkdir()
        (tmp_path / emotion / "1.wav").write_bytes(data)
        soundfile.write(tmp_path / emotion / "2.wav", voice(150, 0.5, seed=len(data)), RATE)
    found = problems(gather(read_corpus(tmp_path)))
    assert of_kind(found, "empty") == [("anger/1.wav",)]
    assert of_kind(found, "unreadable") == [("fear/1.wav",)]


def test_a_recording_that_vanishes_is_told_of_and_the_others_go_on(tmp_path: Path) -> None:
    for number in range(3):
        name = tmp_path / ("anger", "fear")[number % 2] / f"{number}.wav"
        name.parent.mkdir(exist_ok=True)
        soundfile.write(name, voice(150, 0.5, seed=70 + number), RATE)
    corpus = read_corpus(tmp_path)
    (tmp_path / "anger" / "0.wav").unlink()
    found = gather(corpus)
    assert [clip.utterance.id for clip in found.clips] == ["anger/2.wav", "fear/1.wav"]
    assert "no such file" in found.failed["anger/0.wav"]
    assert of_kind(problems(found), "unreadable") == [("anger/0.wav",)]
    for path in tmp_path.rglob("*.wav"):
        path.unlink()
    with pytest.raises(CorpusError, match="none of its recordings can be read"):
        gather(replace(corpus, utterances=tuple(_unknown(u) for u in corpus.utterances)))


def test_a_recording_replaced_since_it_was_read_leaves_nothing_behind(tmp_path: Path) -> None:
    for name, pitch in {"anger/0.wav": 151, "fear/1.wav": 163, "fear/2.wav": 177}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, voice(pitch, 0.5, seed=pitch), RATE)
    corpus, path = read_corpus(tmp_path), tmp_path / "anger" / "0.wav"
    whole = path.read_bytes()
    path.write_bytes((tmp_path / "fear" / "1.wav").read_bytes())
    first, second, third = corpus.utterances
    for told in (measure(first), steps.measured((first, AudioConfig()))):
        assert isinstance(told, str) and told.startswith("has changed since the corpus was read")
    assert same_sound((first, second)) is None
    assert len(write_images([first, third], tmp_path / "images", 1, lambda *news: None)) == 1
    path.write_bytes(whole)
    assert remembered(first) is None
    assert same_sound((first, second)) is False
    measures, _ = unpacked(np.asarray(measure(first)))
    assert measures.pitch == pytest.approx(151, rel=0.2)


def _unknown(utterance: Utterance) -> Utterance:
    """The same recording under a digest that nothing is known of."""
    return replace(utterance, digest=utterance.digest[::-1])


# Problems


def test_every_fault_is_found_and_nothing_else(wrong: list[Problem]) -> None:
    original = "anger-ann-1.wav"
    assert of_kind(wrong, "unreadable") == [("broken.wav",)]
    assert of_kind(wrong, "empty") == [("empty.wav",)]
    assert of_kind(wrong, "silent") == [("silent.wav",)]
    assert of_kind(wrong, "very quiet") == [("quiet.wav",)]
    assert of_kind(wrong, "mostly silent") == [("mostly.wav",)]
    assert of_kind(wrong, "clipped") == [("clipped.wav",)]
    assert of_kind(wrong, "identical") == [(original, "copy.wav")]
    (again,) = of_kind(wrong, "encoded again")
    assert "again.mp3" in again
    assert original in again
    assert of_kind(wrong, "label conflict") == [again]
    assert len(wrong) == 9


def test_the_gravest_problems_come_first(wrong: list[Problem]) -> None:
    kinds = [problem.kind for problem in wrong]
    assert kinds[0] == "unreadable"
    assert kinds.index("label conflict") < kinds.index("identical") < kinds.index("clipped")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp3", {}),
        (".ogg", {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.9}),
        (".ogg", {"format": "OGG", "subtype": "OPUS"}),
        (".flac", {}),
    ],
)
def test_a_copy_is_known_by_its_sound_whatever_codec_level_and_beginning(
    tmp_path: Path, suffix: str, options: dict[str, object]
) -> None:
    sound = voice(170, 2.0, seed=3)
    for name, wave, kind, how in (
        ("anger/a.wav", sound, ".wav", {}),
        ("anger/b.wav", voice(170, 2.0, seed=4), ".wav", {}),
        (f"fear/c{suffix}", np.concatenate([np.zeros(900), 0.3 * sound]), suffix, options),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, wave, RATE, **how)
        assert kind in name
    found = gather(read_corpus(tmp_path))
    (group,) = encoded_again(found.clips)
    assert {clip.utterance.id for clip in group} == {"anger/a.wav", f"fear/c{suffix}"}
    assert identical(found) == []


def test_a_copy_at_another_rate_is_known(tmp_path: Path) -> None:
    import soxr

    sound = voice(170, 2.0, seed=5)
    (tmp_path / "anger").mkdir()
    soundfile.write(tmp_path / "anger" / "a.wav", sound, RATE)
    soundfile.write(tmp_path / "anger" / "b.wav", soxr.resample(sound, RATE, 8000), 8000)
    assert len(encoded_again(gather(read_corpus(tmp_path)).clips)) == 1


def test_one_voice_saying_the_same_again_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "anger").mkdir()
    for take in range(6):  # the same tune and pace, a little higher each time
        sound = voice(160 * 1.01**take, 2.0, seed=3)
        soundfile.write(tmp_path / "anger" / f"{take}.wav", sound, RATE)
    clips = gather(read_corpus(tmp_path)).clips
    alike = np.array([clip.fingerprint for clip in clips]) @ clips[0].fingerprint
    assert alike.min() > 0.8  # so that they are compared by their samples
    assert encoded_again(clips) == []


def test_real_recordings_are_judged_as_their_publishers_tell(
    corpora: Callable[[str], Path],
) -> None:
    def take(name: str) -> Utterance:
        path = corpora("ravdess") / f"Actor_{name[-2:]}" / f"{name}.ogg"
        return Utterance(name, path, "", "", digest=content_digest(*decode(path)))

    one, other = take("03-01-03-01-02-01-07"), take("03-01-03-01-02-02-07")
    assert one.digest == other.digest
    assert same_sound((one, other))
    # Two takes as like as any: shouted, on one pitch.
    assert not same_sound((take("03-01-05-02-02-01-23"), take("03-01-05-02-02-02-23")))


# Tables and findings


def test_the_table_by_emotion_counts_clips_and_minutes(explored: Exploration) -> None:
    table = rows(tables.emotions(explored))
    assert [table[e]["clips"] for e in ("anger", "fear", "sadness", "all")] == ["8", "5", "4", "17"]
    seconds = values(explored.of("sadness"), "seconds")
    assert table["sadness"]["minutes"] == f"{seconds.sum() / 60:.1f}"
    assert table["sadness"]["duration s"] == f"{np.median(seconds):.2f}"
    assert float(table["anger"]["pitch Hz"]) > float(table["sadness"]["pitch Hz"])


def test_speakers_and_sentences_are_counted_by_emotion(explored: Exploration) -> None:
    by_speaker = rows(tables.speakers(explored))
    assert by_speaker["bob"]["gender"] == "male"
    assert [by_speaker["bob"][e] for e in ("clips", "anger", "fear", "sadness")] == [
        "6", "2", "2", "2",
    ]  # fmt: skip
    assert rows(tables.sentences(explored))["2"]["clips"] == "6"


def test_the_share_of_variance_is_eta_squared(explored: Exploration) -> None:
    groups = [values(explored.of(e), "level") for e in explored.emotions]
    every = np.concatenate(groups)
    within = sum(np.square(group - group.mean()).sum() for group in groups)
    expected = 1 - within / np.square(every - every.mean()).sum()
    assert tables.share_of(explored, "level", "emotion") == pytest.approx(expected)


def test_the_csv_has_every_figure_of_every_clip(explored: Exploration, made: Path) -> None:
    with (made.parent / "clips.csv").open(encoding="utf-8", newline="") as file:
        lines = {row["id"]: row for row in csv.DictReader(file)}
    assert len(lines) == len(explored.clips)
    for clip in explored.clips:
        row = lines[clip.utterance.id]
        assert row["emotion"] == clip.utterance.emotion
        assert float(row["seconds"]) == pytest.approx(clip.measures.seconds, rel=1e-5)
    assert lines["silent.wav"]["level"] == ""
    assert lines["again.mp3"]["format"] == "MP3"


def test_imbalance_is_named_in_words_and_as_a_ratio(
    explored: Exploration, wrong: list[Problem]
) -> None:
    told = " ".join(findings(explored, wrong))
    assert (
        "The classes are uneven: anger, the largest, has 8 clips, sadness, the smallest, 4, "
        in told
    )
    assert "ratio of 2.00" in told
    assert "Women speak 11 clips, men 6 (65 %)." in told
    assert "each has clips of every emotion" in told
    assert "2 sentences, each said in every emotion" in told
    assert "1 label conflict" in told
    assert "2 kinds of format and rate" not in told  # three: 16 bit, float, MP3
    assert "3 kinds of format and rate, not all in every emotion" in told
    assert headline(explored).startswith("17 clips, 0.")
    assert headline(explored).endswith("3 emotions by 2 speakers.")


def test_a_leak_by_the_recording_comes_before_all_facts(
    explored: Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {("snr", "speaker"): 0.97}
    monkeypatch.setattr(gravity, "share_of", lambda _, name, by: shares.get((name, by), np.nan))
    assert findings(explored, [])[0].startswith("SNR, the distance of speech from the background,")


def test_one_class_is_told_to_be_one(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "anger").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "anger" / f"{number}.wav", voice(150, 0.5, seed=number), RATE)
    found = gather(read_corpus(tmp_path))
    told = findings(found, problems(found))
    assert "There is one class only, anger: nothing to tell apart." in told
    html = write_exploration(found, [], tmp_path / "out").read_text(encoding="utf-8")
    assert HtmlPage(html).faults == []


def test_bursts_without_words_are_not_called_speech(explored: Exploration) -> None:
    def told(*names: str) -> str:
        parts = tuple(replace(explored.corpus, spec=CORPORA[name]) for name in names)
        whole = replace(parts[0], parts=parts if len(parts) > 1 else ())
        return headline(replace(explored, corpus=whole))

    assert " minutes of vocal bursts without words: 3 emotions" in told("emogator")
    assert " of Turkish speech: " in told("turev")
    assert " of Amharic and Turkish speech and vocal bursts" in told("turev", "emogator", "ased")


def test_a_home_that_is_no_address_is_no_link(tmp_path: Path) -> None:
    for name in ("000001-03-1", "000001-24-1"):
        soundfile.write(tmp_path / f"{name}.wav", voice(150, 0.5, seed=int(name[7:9])), RATE)
    found = gather(read_corpus(tmp_path))
    html = write_exploration(found, [], tmp_path / "out").read_text(encoding="utf-8")
    assert "<dt>Home</dt><dd>not settled</dd>" in html and 'href="not settled"' not in html


# Examples and figures


def test_examples_are_of_one_speaker_and_sentence(
    explored: Exploration, wrong: list[Problem]
) -> None:
    found = examples(explored, wrong)
    assert [one.clip.utterance.emotion for one in found] == ["anger", "fear", "sadness"]
    assert len({(c.clip.utterance.speaker, c.clip.utterance.sentence) for c in found}) == 1
    doubtful = {name for problem in wrong for name in problem.clips}
    assert not doubtful & {one.clip.utterance.id for one in found}
    sound, rate = soundfile.read(BytesIO(wav(found[0].wave, SAMPLE_RATE)), dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(sound, found[0].wave, atol=1e-4)


def test_a_long_example_is_cut_and_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "anger").mkdir()
    soundfile.write(tmp_path / "anger" / "long.wav", voice(150, 9.5, seed=1), RATE)
    found = gather(read_corpus(tmp_path))
    (one,) = examples(found, [])
    assert one.cut
    assert one.wave.size == 8 * 16_000
    html = write_exploration(found, [], tmp_path / "out").read_text(encoding="utf-8")
    assert "the first 8 s" in html


def test_frequencies_lie_where_librosa_has_its_mel_bands() -> None:
    librosa = pytest.importorskip("librosa")
    edges = librosa.mel_frequencies(n_mels=130, fmin=0, fmax=8000)
    np.testing.assert_allclose(mel_place(edges), np.linspace(0, 1, 130), atol=1e-6)


def test_bars_are_the_counts_by_sex(explored: Exploration) -> None:
    axes = classes(explored).axes[0]
    women, men = (
        [bar.get_width() for bar in container]  # type: ignore[attr-defined]
        for container in axes.containers
    )
    assert women == [2, 3, 6]  # from the bottom: sadness, fear, anger
    assert men == [2, 2, 2]


def test_dots_are_the_medians() -> None:
    groups = {"a": np.array([1.0, 2.0, 9.0]), "b": np.array([4.0])}
    dots = [line for line in ridges(groups, "x").axes[0].lines if line.get_marker() == "o"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [2.0, 4.0]


def test_names_are_drawn_as_they_are() -> None:
    assert words("a$b$c") == r"a\$b\$c"
    figure = ridges({r"$\frac$": np.arange(5.0), "怒り": np.arange(3.0)}, "x")
    assert png(figure).startswith(b"\x89PNG")


# The page


def test_the_page_is_balanced_and_its_links_lead_somewhere(page: HtmlPage) -> None:
    page.check_whole()
    assert len([link for link in page.values("href") if link.startswith("#")]) >= 9


def test_the_page_loads_nothing(page: HtmlPage) -> None:
    page.check_loads_nothing()
    assert len(page.html) < 5_000_000


def test_every_picture_is_drawn_and_told_in_words(page: HtmlPage) -> None:
    pictures = page.all("img")
    assert len(pictures) == 3 + 6 + 3 + 2 + 2  # examples, measures, means, clips, lengths
    for picture in pictures:
        ElementTree.fromstring(b64decode(picture["src"].partition(",")[2]))
        assert len(picture["alt"]) > 40


def test_every_example_can_be_heard(page: HtmlPage) -> None:
    players = page.all("audio")
    assert len(players) == 3
    for player in players:
        assert "controls" in player
        assert "speaker ann" in player["aria-label"] or "speaker bob" in player["aria-label"]
        sound, rate = soundfile.read(BytesIO(b64decode(player["src"].partition(",")[2])))
        assert rate == 16_000
        assert sound.size > 16_000


def test_the_page_says_what_the_tables_and_findings_say(
    page: HtmlPage, explored: Exploration, wrong: list[Problem]
) -> None:
    assert headline(explored) in page.text
    for sentence in findings(explored, wrong):
        assert sentence in page.text
    for problem in wrong:
        assert problem.detail in page.text
    assert "emelia explore studio" in page.text
    assert explored.corpus.digest in page.text


def test_figures_and_tables_lie_beside_the_page(page: HtmlPage, made: Path) -> None:
    there = {path.name for path in made.parent.iterdir()}
    assert there == {
        "explore.html", "figures", "clips.csv", "emotions.csv", "speakers.csv", "sentences.csv",
        "problems.csv",
    }  # fmt: skip
    figures = list((made.parent / "figures").iterdir())
    assert {path.suffix for path in figures} == {".pdf", ".png", ".svg"}
    assert len(figures) == 3 * len(page.all("img"))


def test_names_do_not_become_mark_up(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(150, 0.5, seed=1), RATE)
    write_manifest(tmp_path, [("a.wav", "../<b>anger</b>", "<script>", "<i>&", "")])
    found = gather(read_corpus(tmp_path))
    html = write_exploration(found, problems(found), tmp_path / "out").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<i>&" not in html
    assert "../&lt;b&gt;anger&lt;/b&gt;" in html
    write_images(found.corpus.utterances, tmp_path / "out" / "all", 1, lambda *news: None)
    figures = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.svg")}
    assert figures == {"out/figures"}
    (drawn,) = (tmp_path / "out" / "all").rglob("*.png")
    assert drawn.parent.parent == tmp_path / "out" / "all"


@pytest.mark.parametrize("package", ["matplotlib.figure", "jinja2"])
def test_a_missing_extra_names_its_command_and_writes_nothing(
    tmp_path: Path,
    explored: Exploration,
    wrong: list[Problem],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[plots\]'"):
        write_exploration(explored, wrong, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_stands_in_a_browser(made: Path, tmp_path: Path, width: int, scheme: str) -> None:
    with browser.chromium(tmp_path / "no-microphone.wav") as chromium:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        visit = browser.Visit(context.new_page(), made.as_uri())
        visit.watch()
        visit.page.goto(visit.url)
        asked = [address for address in visit.asked if not address.startswith("data:")]
        assert asked == [made.as_uri()]
        assert visit.faults == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        assert visit.page.evaluate(broken) == 0
        duration = visit.page.locator("audio").first.evaluate(PLAYS)
        assert duration == pytest.approx(1.4, abs=0.5)
        assert [f for f in visit.accessibility_faults() if "audio" not in f] == []


# Every clip's spectrogram


def test_every_clip_is_drawn_once(tmp_path: Path, explored: Exploration) -> None:
    clips = [clip.utterance for clip in explored.clips][:4]
    told: list[tuple[int, int]] = []
    assert write_images(clips, tmp_path, 1, lambda *news: told.append(news)) == {}
    drawn = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert {path.parent.name for path in drawn} == {clip.emotion for clip in clips}
    assert len(drawn) == 4
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    told.clear()
    write_images(clips, tmp_path, 1, lambda *news: told.append(news))
    assert told == [(4, 4)]
    assert drawn == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}


def test_drawing_goes_on_where_it_was_interrupted(tmp_path: Path, explored: Exploration) -> None:
    clips = [clip.utterance for clip in explored.clips][:3]

    def interrupt(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_images(clips, tmp_path, 1, interrupt)
    assert len(list(tmp_path.rglob("*.png"))) == 1
    told: list[int] = []
    write_images(clips, tmp_path, 1, lambda done, total: told.append(done))
    assert told == [1, 2, 3]


def test_pictures_of_clips_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "anger").mkdir(parents=True)
        sound = voice(150, 0.5, seed=len(place) + ord(place[0]))
        soundfile.write(tmp_path / place / "anger" / "a.wav", sound, RATE)
    corpus = read_corpus(tmp_path)
    write_images(corpus.utterances, tmp_path / "out", 1, lambda *news: None)
    assert len(list((tmp_path / "out" / "anger").glob("*.png"))) == 2


# Processes and the command


def test_work_keeps_its_order_in_processes() -> None:
    assert list(work(abs, range(-20, 0), 2)) == list(range(20, 0, -1))
    assert list(work(abs, [], 2)) == []


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emelia", "explore", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_writes_all_and_tells_the_main_things(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["explore", str(folder), "--jobs", "1", "--all", "--emotions", "anger,sadness"]
    monkeypatch.setattr(sys, "argv", ["emelia", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "12 clips" in said
    assert "The classes are uneven" in said
    assert "mostly.wav" in said
    out = tmp_path / "runs" / "studio-explore"
    assert f"Page: {out.relative_to(tmp_path) / 'explore.html'}" in said
    assert len(list((out / "spectrograms").rglob("*.png"))) == 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.mkdir(), "no recordings in this folder"),
        (
            lambda root: (
                (root / "anger").mkdir(parents=True),
                (root / "anger" / "a.wav").write_bytes(b"RIFF"),
            ),
            "its only recording cannot be used",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "there")
    ended = run("./there", cwd=tmp_path)
    assert ended.returncode == 1
    assert message in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (signal.SIGKILL, "was killed, perhaps for want of memory. * with --jobs 1 if"),
        (signal.SIGABRT, "crashed (SIGABRT: aborted). * please report it."),
    ],
)
def test_what_ended_a_worker_is_called_by_its_name(by: signal.Signals, told: str) -> None:
    pattern = ".*".join(map(re.escape, f"a process {told}".split("*")))
    with pytest.raises(EmeliaError, match=pattern):
        list(work(signal.raise_signal, [by] * 20, jobs=2))


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_half_written(corpora: Callable[[str], Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emelia", "explore", str(corpora("aesdd")), "--out", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("measuring: "))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to its workers, too
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "out" / "explore.html").exists()


# What is published of real corpora

PUBLISHED = {
    "aesdd": (604, 41.3, 6, {"anger": 121, "disgust": 122, "fear": 120, "happiness": 119}),
    "emodb": (535, 24.8, 10, {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69}),
    "ravdess": (1440, 88.8, 24, {"calm": 192, "neutral": 96, "anger": 192, "surprise": 192}),
    "nemo": (4481, 184.4, 9, {"anger": 749, "neutral": 809, "surprise": 669}),
}
CALM = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", list(PUBLISHED))
def test_real_corpora_are_what_is_published_of_them(
    corpora: Callable[[str], Path], name: str
) -> None:
    clips, minutes, speakers, counts = PUBLISHED[name]
    corpus = read_corpus(corpora(name), emotions=CALM if name == "ravdess" else ())
    found = gather(corpus, jobs=2)
    wrong = problems(found, jobs=2)
    assert len(found.clips) == clips
    assert float(tables.minutes(found.clips)) == pytest.approx(minutes, abs=0.5)
    assert len(tables.speakers(found).rows) == speakers
    assert {e: len(found.of(e)) for e in counts} == counts
    assert of_kind(wrong, "label conflict") == of_kind(wrong, "encoded again") == []
    known = KNOWN.get(name, {})
    for kind in ("unreadable", "identical", "mostly silent"):
        named = [tuple(Path(clip).stem for clip in clips) for clips in of_kind(wrong, kind)]
        assert named == known.get(kind, []), kind
    if name == "ravdess":
        quietest = sorted(found.clips, key=lambda clip: clip.measures.level)[:13]
        assert {clip.utterance.speaker for clip in quietest} == {"09", "20"}
        assert {(clip.utterance.id,) for clip in quietest} <= set(of_kind(wrong, "very quiet"))


KNOWN: dict[str, dict[str, list[tuple[str, ...]]]] = {
    "aesdd": {"unreadable": [("s05 (3)",)], "mostly silent": [("s19 (6)",)]},
    "ravdess": {"identical": [("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")]},
}
