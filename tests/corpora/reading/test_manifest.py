"""Manifests as people have them: segments, missing values, other columns, official parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emelia.audio import content_digest, decode
from emelia.audio.excerpts import Span, cut
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.scan import decode_again
from emelia.errors import CorpusError

RATE = 16_000  # Hz
Make = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Make:
    """Write a manifest beside four recordings, a.wav to d.wav of 2 s; return its path."""

    def make(text: str, name: str = "manifest.csv") -> Path:
        for seed, letter in enumerate("abcd"):
            noise = np.random.default_rng(seed).standard_normal(2 * RATE).astype(np.float32)
            soundfile.write(tmp_path / f"{letter}.wav", 0.1 * noise, RATE)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return make


def said(corpus: Corpus) -> list[tuple[str, str, str]]:
    return [(u.id, u.emotion, u.speaker) for u in corpus.utterances]


# Segments


def test_each_segment_is_a_clip_of_its_own(table: Make) -> None:
    path = table(
        "file,start,end,emotion,speaker\n"
        "a.wav,0,0.8,angry,s0\na.wav,0.8,1.6,sad,s0\nb.wav,0 days 00:00:00.5,,sad,s1\n"
        "c.wav,,,angry,s1\n"
    )
    corpus = read_corpus(path)
    assert said(corpus) == [
        ("a.wav#t=0,0.8", "anger", "s0"), ("a.wav#t=0.8,1.6", "sadness", "s0"),
        ("b.wav#t=0.5,", "sadness", "s1"), ("c.wav", "anger", "s1"),
    ]  # fmt: skip
    assert not corpus.warnings and not corpus.rejected
    whole = decode(path.parent / "a.wav")[0]
    first, second, third, fourth = (decode_again(u)[0] for u in corpus.utterances)
    assert np.array_equal(first, whole[:12_800]) and np.array_equal(second, whole[12_800:25_600])
    assert len(third) == 24_000 and len(fourth) == 32_000
    assert [u.digest for u in corpus.utterances] == (
        [content_digest(w, RATE) for w in (first, second, third, fourth)]
    )
    assert read_corpus(path).utterances == corpus.utterances  # from the cache


def test_segments_that_cannot_be_cut_are_named_and_left_out(table: Make) -> None:
    corpus = read_corpus(
        table(
            "file,start,end,emotion,speaker\n"
            "a.wav,0,1,angry,1\nb.wav,1,0.5,sad,1\nc.wav,1,3,sad,1\nd.wav,5,6,sad,1\n"
            "a.wav,x,2,sad,1\nb.wav,0,2.05,sad,1\n"
        )
    )
    assert [u.id for u in corpus.utterances] == ["a.wav#t=0,1", "b.wav#t=0,2.05"]
    reasons = {one.path.name: one.reason for one in corpus.rejected}
    assert reasons["manifest.csv:3"] == "the segment ends at 0.5 s, not after its start at 1 s"
    assert reasons["manifest.csv:6"] == "'x' is no time; expected seconds"
    for name in ("c.wav#t=1,3", "d.wav#t=5,6"):
        assert "goes beyond the recording, which lasts 2.00 s" in reasons[name]


def test_a_recording_is_decoded_once_for_all_of_its_segments(
    table: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emelia.corpora import scan

    rows = [f"a.wav,{n / 10},{n / 10 + 0.1},{'sad' if n % 2 else 'angry'},1" for n in range(19)]
    path = table("\n".join(["file,begin,stop,label,speaker", *rows]))
    decoded: list[Path] = []

    def counting(source: Path, **told: Any) -> tuple[np.ndarray, int]:
        decoded.append(source)
        return decode(source, **told)

    monkeypatch.setattr(scan, "decode", counting)
    assert len(read_corpus(path).utterances) == 19
    assert decoded == [path.parent / "a.wav"]


def test_what_is_cut_is_a_copy(table: Make) -> None:
    path = table("file,emotion\na.wav,sad\n").with_name("a.wav")
    wave, rate = decode(path)
    part = cut(wave, rate, Span(0.5, 1.0), "a")
    assert part.base is None and np.array_equal(part, wave[8_000:16_000])


# Missing values


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "NA", "N/A", "None", "null", "-"])
def test_missing_values_are_neither_class_nor_speaker(table: Make, nothing: str) -> None:
    corpus = read_corpus(
        table(
            f"file,emotion,speaker,gender\na.wav,angry,{nothing},{nothing}\n"
            f"b.wav,{nothing},s1,f\nc.wav,sad,s1,f\n"
        )
    )
    assert said(corpus) == [("a.wav", "anger", UNKNOWN_SPEAKER), ("c.wav", "sadness", "s1")]
    assert corpus.warnings == ("1 row without an emotion left out.",)


# Columns


@pytest.mark.parametrize(
    "header",
    [
        "path,label,spk",
        "sound,label,spk",
        "filename,class,actor",
        "name,emotion_label,subject",
        "Wav,Target,Speaker ID",
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_may_have_other_names(table: Make, header: str, separator: str) -> None:
    text = f"{header}\na.wav,angry,s0\nb.wav,sad,s1\n".replace(",", separator)
    assert said(read_corpus(table(text))) == [("a.wav", "anger", "s0"), ("b.wav", "sadness", "s1")]


def test_columns_can_be_named_in_the_place(table: Make) -> None:
    path = table("clip,feels,who,emotion\na.wav,angry,s0,x\nb.wav,sad,s1,y\n", "list.csv")
    corpus = read_corpus(f"{path}?file=clip&emotion=feels&speaker=who")
    assert said(corpus) == [("a.wav", "anger", "s0"), ("b.wav", "sadness", "s1")]
    assert corpus.name == "list"
    with pytest.raises(CorpusError, match="no column mood; there are clip, feels, who, emotion"):
        read_corpus(f"{path}?emotion=mood")
    with pytest.raises(CorpusError, match="no option 'mood'; expected"):
        read_corpus(f"{path}?mood=feels")


def test_a_manifest_needs_no_speakers(table: Make) -> None:
    corpus = read_corpus(table("file,emotion\na.wav,angry\nb.wav,sad\n"))
    assert corpus.speakers == (UNKNOWN_SPEAKER,)
    assert "No column tells who speaks" in corpus.warnings[0]


def test_paths_may_tell_who_speaks_where_the_table_does_not(table: Make) -> None:
    path = table("file,emotion,speaker\na.wav,angry,\nb.wav,sad,ben\n")
    corpus = read_corpus(path, speakers_from=r"(\w)\.wav")
    assert said(corpus) == [("a.wav", "anger", "a"), ("b.wav", "sadness", "ben")]
    assert "a in a.wav" in corpus.warnings[0]


def test_a_speaker_is_one_however_the_name_is_written(table: Make) -> None:
    corpus = read_corpus(
        table("file,emotion,speaker\na.wav,sad,Jo\u0308rg\nb.wav,angry,J\u00f6rg\n")
    )
    assert corpus.speakers == ("Jörg",)


def test_genders_are_read_in_other_words(table: Make) -> None:
    rows = "a.wav,sad,1,Weiblich\nb.wav,sad,2,m\nc.wav,angry,3,männlich\nd.wav,angry,4,robot\n"
    corpus = read_corpus(table(f"file,emotion,speaker,sex\n{rows}"))
    assert [u.gender for u in corpus.utterances] == ["female", "male", "male", ""]
    assert "robot in 1 row" in corpus.warnings[0]


def test_one_bad_row_does_not_cost_the_others(table: Make) -> None:
    corpus = read_corpus(
        table("file,emotion,speaker\na.wav,angry,1\nb.wav,sad\n,sad,1\nx.wav,sad,1\nd.wav,sad,1\n")
    )
    assert [u.id for u in corpus.utterances] == ["a.wav", "d.wav"]
    assert {one.path.name: one.reason for one in corpus.rejected} == {
        "manifest.csv:3": "2 cells, expected 3",
        "manifest.csv:4": "names no file",
        "x.wav": "no such file.",
    }


def test_of_several_rows_for_a_recording_most_decide(table: Make) -> None:
    rows = "a.wav,angry,1\na.wav,sad,1\na.wav,angry,1\nb.wav,angry,1\nb.wav,sad,1\nc.wav,sad,1\n"
    corpus = read_corpus(table(f"file,emotion,speaker\n{rows}"))
    assert said(corpus) == [("a.wav", "anger", "1"), ("c.wav", "sadness", "1")]
    assert any("3 rows for clips that are listed before" in w for w in corpus.warnings)
    (tie,) = corpus.rejected
    assert tie.path.name == "b.wav" and "anger and sadness" in tie.reason


def test_a_cell_may_hold_the_labels_of_several_raters(table: Make) -> None:
    rows = "a.wav,\"['angry', 'sad', 'angry']\"\nb.wav,\"['angry', 'sad']\"\nc.wav,['sad']\n"
    corpus = read_corpus(table(f"file,emotion\n{rows}"))
    assert [(u.id, u.emotion) for u in corpus.utterances] == (
        [("a.wav", "anger"), ("c.wav", "sadness")]
    )
    (tie,) = corpus.rejected
    assert tie.path.name == "b.wav" and "its raters disagree" in tie.reason
