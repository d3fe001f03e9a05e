"""What the user says of folders, columns and labels counts before what is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emelia.cli import main
from emelia.corpora import read_corpus
from emelia.errors import ConfigError

MakeCorpus = Callable[..., Path]


@pytest.fixture
def clips(small_corpus: MakeCorpus, tmp_path: Path) -> Path:
    """Clips in folders of speakers that hold folders of labels nobody knows."""
    made, root = small_corpus(tmp_path / "made", speakers=3), tmp_path / "own"
    for number, file in enumerate(sorted(made.rglob("*.wav"))):
        folder = root / ("Anna", "Ben", "Joy")[int(file.name[0]) - 1] / f"w{file.parent.name[:2]}"
        folder.mkdir(parents=True, exist_ok=True)
        file.rename(folder / f"{number}.wav")
    return root


def test_a_layout_says_what_the_folders_are(clips: Path) -> None:
    corpus = read_corpus(clips, layout="speaker/emotion")
    assert corpus.emotions == ("wan", "wdi") and corpus.speakers == ("Anna", "Ben", "Joy")
    assert "Folders by --layout speaker/emotion" in corpus.warnings[0]
    turned = read_corpus(clips, layout="emotion/speaker", speakers_from="none")
    assert turned.speakers == ("wan", "wdi")
    with pytest.raises(ConfigError, match="such as speaker/emotion"):
        read_corpus(clips, layout="speaker/feeling")


def test_labels_get_the_names_of_a_map(clips: Path) -> None:
    corpus = read_corpus(clips, layout="speaker/emotion", labels={"WAN": "angry", "wdi": "-"})
    assert corpus.emotions == ("anger",) and len(corpus.utterances) == 6
    assert "WAN as anger, wdi (left out)" in corpus.warnings[-1]
    with pytest.raises(ConfigError, match=r"--map wam: no clip has this label; did you mean wan"):
        read_corpus(clips, layout="speaker/emotion", labels={"wam": "anger"})


def test_a_map_is_told_in_the_words_it_is_given_in(small_corpus: MakeCorpus) -> None:
    root = small_corpus()
    (root / "anger").rename(root / "θυμός")
    corpus = read_corpus(root, labels={"θυμός": "fear"})
    assert "fear" in corpus.emotions and "θυμός as fear" in corpus.warnings[-1]


def test_columns_of_a_manifest_are_named(clips: Path, tmp_path: Path) -> None:
    rows = [f"{file};{file.parts[-2]};{file.parts[-3]}" for file in sorted(clips.rglob("*.wav"))]
    (table := tmp_path / "t.csv").write_text("\n".join(["x;y;z", *rows]))
    corpus = read_corpus(table, columns={"file": "x", "emotion": "y", "speaker": "z"})
    assert corpus.emotions == ("wan", "wdi") and corpus.speakers == ("Anna", "Ben", "Joy")
    with pytest.raises(ConfigError, match="did you mean speaker"):
        read_corpus(table, columns={"speakr": "z"})


def test_the_command_line_takes_them_in_every_command(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (names := tmp_path / "map.txt").write_text("# ours\nwan=anger\nwdi=disgust\n")
    told = ["--layout", "speaker/emotion", "--map", str(names)]
    monkeypatch.setattr("sys.argv", ["emelia", "corpora", str(clips), *told])
    with pytest.raises(SystemExit):
        main()
    assert "disgust" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["emelia", "corpora", str(clips), "--map", "wan"])
    assert main() == 2
    assert "--map wan: neither LABEL=EMOTION nor a file" in capsys.readouterr().err


def test_a_label_that_is_nearly_a_word_is_told_with_how_to_map_it(clips: Path) -> None:
    for folder in list(clips.glob("*/wan")):
        folder.rename(folder.with_name("angr"))
    warnings = " ".join(read_corpus(clips, layout="speaker/emotion").warnings)
    assert "angr (anger?). --map angr=anger" in warnings and "wdi (" not in warnings
