"""Several corpora in one folder: each is read as what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emelia.cli.common import open_corpus
from emelia.corpora import Corpus, read_corpus

RAVDESS = [f"03-01-0{e}-01-0{s}-01-0{a}.wav" for e in (3, 4, 5) for s in (1, 2) for a in (1, 2)]
TESS = [f"{who}_{word}_{e}.wav" for who in ("OAF", "YAF") for word in ("back", "bar")
        for e in ("angry", "sad", "ps")]  # fmt: skip
CREMA = [f"{who}_{s}_{e}_XX.wav" for who in (1001, 1002, 1003) for s in ("DFA", "IEO")
         for e in ("ANG", "SAD", "FEA")]  # fmt: skip
SONG = [f"03-02-0{e}-01-0{s}-01-01.wav" for e in (3, 4, 5) for s in (1, 2)]


def write(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(map(ord, name)) + 1000 * len(list(root.rglob("*.wav")))
        noise = 0.1 * np.random.default_rng(seed).standard_normal(800).astype(np.float32)
        soundfile.write(path, noise, 16_000)
    return root


def sizes(corpus: Corpus) -> Counter[str]:
    return Counter(u.corpus for u in corpus.utterances)


def side_by_side() -> list[str]:
    return [
        *(f"RAVDESS/Actor_{name[-6:-4]}/{name}" for name in RAVDESS),
        *(f"TESS/TESS Toronto data/{name[:3]}_x/{name}" for name in TESS),
        *(f"CREMA/AudioWAV/{name}" for name in CREMA),
    ]


@pytest.mark.parametrize("flat", [False, True])
def test_each_is_read_as_what_it_is(flat: bool, tmp_path: Path) -> None:
    names = [Path(n).name for n in side_by_side()] if flat else side_by_side()
    corpus = read_corpus(write(tmp_path / "kaggle", names))
    assert sizes(corpus) == {"ravdess": len(RAVDESS), "tess": len(TESS), "cremad": len(CREMA)}
    assert corpus.name == "cremad+ravdess+tess" and not corpus.rejected
    assert "ravdess/01" in corpus.speakers and "cremad/1001" in corpus.speakers
    assert corpus.warnings[0] == (
        "kaggle holds several corpora, each read as what it is: "
        f"cremad ({len(CREMA)}), ravdess ({len(RAVDESS)}) and tess ({len(TESS)})."
    )


def test_it_is_what_joining_them_gives(tmp_path: Path) -> None:
    root = write(tmp_path / "kaggle", side_by_side())
    joined = read_corpus(f"{root}/CREMA+{root}/RAVDESS+{root}/TESS")
    assert read_corpus(root).digest == joined.digest


def test_other_recordings_are_told_of_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [f"mine/angry/{n}.wav" for n in range(8)]
    root = write(tmp_path / "all", [*side_by_side(), *own])
    corpus = open_corpus(str(root))
    assert len(corpus.utterances) == len(side_by_side())
    said = capsys.readouterr().err
    assert f"8 recordings of other names left out, such as {own[0]}" in said
    assert f"+{root / 'mine/angry'}" in said and said.count("mine/angry/") == 1


def test_a_few_names_that_fit_by_chance_are_no_corpus(tmp_path: Path) -> None:
    root = write(tmp_path / "ravdess", [*RAVDESS, *CREMA[::9]])
    corpus = read_corpus(root)
    assert corpus.name == "ravdess" and len(corpus.rejected) == 2


def test_songs_of_the_same_actors_are_no_further_speakers(tmp_path: Path) -> None:
    root = write(tmp_path / "ravdess", [*RAVDESS, *SONG])
    corpus = read_corpus(root)
    assert corpus.name == "ravdess" and corpus.speakers == ("01", "02")
    (line,) = [w for w in corpus.warnings if "ravdess-song" in w]
    assert f"ravdess-song:{root}" in line
    assert len(read_corpus(f"ravdess-song:{root}").utterances) == len(SONG)


def test_many_files_left_out_for_one_reason_take_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "ravdess", [*RAVDESS, *(f"noise{n}.wav" for n in range(9))])
    open_corpus(str(root))
    lines = [x for x in capsys.readouterr().err.splitlines() if "noise" in x and "left out 9" in x]
    assert len(lines) == 1 and "noise0.wav, noise1.wav, noise2.wav" in lines[0]
