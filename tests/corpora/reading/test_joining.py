"""Joining corpora: speakers stay separate, emotions are shared, large corpora do not dominate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emelia.corpora import read_corpus
from emelia.corpora.known.europe import emodb
from emelia.corpora.splits.scheme import Split, make_split
from emelia.errors import CorpusError
from emelia.learn.study.tasks import StudyData

AESDD = ("anger/a01 (1).wav", "anger/a02 (2).wav", "fear/f01 (1).wav", "fear/f02 (2).wav")
# happiness, calm, neutral and anger of actors 01 and 02
RAVDESS = tuple(
    f"Actor_{actor}/03-01-{emotion}-01-01-01-{actor}.wav"
    for actor in ("01", "02")
    for emotion in ("03", "02", "01", "05")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two small corpora that EMELIA_CORPORA names; every sound is another."""
    rng = np.random.default_rng(0)
    for name in [*(f"aesdd/{n}" for n in AESDD), *(f"ravdess/{n}" for n in RAVDESS)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(1600), 16_000)
    monkeypatch.setenv("EMELIA_CORPORA", str(tmp_path))
    return tmp_path


def test_a_known_corpus_is_found_by_name_where_emelia_corpora_says(folder: Path) -> None:
    corpus = read_corpus("aesdd")
    assert (corpus.name, corpus.root, len(corpus.utterances)) == ("aesdd", folder / "aesdd", 4)


def test_joined_corpora_keep_their_speakers_and_sentences_apart(folder: Path) -> None:
    corpus = read_corpus("aesdd+ravdess")
    assert corpus.name == "aesdd+ravdess"
    assert corpus.speakers == ("aesdd/1", "aesdd/2", "ravdess/01", "ravdess/02")
    assert {u.sentence for u in corpus.utterances} == {"aesdd/01", "aesdd/02", "ravdess/01"}
    assert Counter(u.corpus for u in corpus.utterances) == {"aesdd": 4, "ravdess": 8}
    assert all(u.path.is_file() and u.id.startswith(f"{u.corpus}/") for u in corpus.utterances)
    assert corpus.emotions == ("anger", "fear", "happiness", "neutral")


def test_places_and_names_can_be_mixed(folder: Path) -> None:
    assert len(read_corpus(f"{folder / 'aesdd'} + ravdess").utterances) == 12


def test_a_folder_with_a_plus_in_its_name_is_one_corpus(folder: Path) -> None:
    (folder / "aesdd").rename(folder / "a+b")
    assert read_corpus(str(folder / "a+b")).name == "aesdd"


def test_calm_counts_as_neutral_and_this_is_told(folder: Path) -> None:
    corpus = read_corpus("ravdess")
    assert corpus.counts()["neutral"] == 4
    assert any("2 clips of calm count as neutral" in text for text in corpus.warnings)


def test_calm_stays_apart_when_asked_for_by_name(folder: Path) -> None:
    corpus = read_corpus("ravdess", emotions=["calm", "neutral", "Angry"])
    assert corpus.counts() == {"calm": 2, "neutral": 2, "anger": 2}
    assert not any("count as" in text for text in corpus.warnings)


def test_calm_stays_apart_where_it_is_known_and_nothing_is_left_out_for_it(folder: Path) -> None:
    corpus = read_corpus("ravdess", apart=["calm", "boredom"])
    assert corpus.counts() == {"calm": 2, "neutral": 2, "anger": 2, "happiness": 2}


def test_emotions_restrict_a_joined_corpus_and_its_parts(folder: Path) -> None:
    corpus = read_corpus("aesdd+ravdess", emotions=["anger", "fear"])
    assert corpus.counts() == {"anger": 4, "fear": 2}
    assert [len(part.utterances) for part in corpus.parts] == [4, 2]


@pytest.mark.parametrize(
    ("where", "emotions", "message"),
    [
        ("aesdd+aesdd", [], "aesdd is named more than once"),
        ("aesdd+", [], "expected a place on either side"),
        ("aesdd", ["angr"], "no clip of 'angr'; did you mean anger"),
        ("aesdd", ["boredom"], "it has anger, fear"),
        ("aesdd+nemo", [], "nemo: emelia knows this corpus but not where it is"),
    ],
)
def test_what_cannot_be_joined_or_kept_is_told(
    folder: Path, where: str, emotions: list[str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_corpus(where, emotions=emotions)


def test_a_list_of_speakers_splits_joined_corpora(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "split.toml"
    path.write_text('train = ["aesdd/1", "ravdess/01"]\nvalidation = ["ravdess/02"]\n')
    path.write_text(f'{path.read_text()}test = ["aesdd/2"]\n')
    (fold,) = make_split(read_corpus("aesdd+ravdess"), f"list:{path}").folds
    assert {u.speaker for u in fold.test} == {"aesdd/2"}


def test_a_run_tells_of_every_corpus_it_heard(folder: Path) -> None:
    corpus = read_corpus("aesdd+ravdess")
    data = StudyData.of(corpus, Split("any", "", ()))
    assert data.places == (str(folder / "aesdd"), str(folder / "ravdess"))
    assert [about["licence"][:8] for about in data.corpora] == ["publishe", "CC BY-NC"]


def test_real_corpora_meet_in_seven_emotions(
    corpora: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMELIA_CORPORA", str(corpora("aesdd").parent))
    corpora("emodb")
    corpus = read_corpus("aesdd+emodb")
    assert len(corpus.utterances) == 604 + 535
    assert corpus.emotions == tuple(sorted(emodb.SPEC.emotions))
