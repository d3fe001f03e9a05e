"""Reading data sets kept as tables: Parquet, Arrow, audio folders and audformat."""

from __future__ import annotations

import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emelia.audio import decode
from emelia.caches import cache_root
from emelia.corpora import read_corpus
from emelia.errors import CorpusError, MissingExtraError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
yaml = pytest.importorskip("yaml")

Labels = list[tuple[str, str]]
EXPECTED: Labels = [("anger", "s0"), ("happiness", "s0"), ("anger", "s1"), ("happiness", "s1")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EMELIA_CORPORA", raising=False)


def sound(seed: int, kind: str = "WAV") -> bytes:
    data = io.BytesIO()
    noise = 0.1 * np.random.default_rng(seed).standard_normal(800)
    soundfile.write(data, noise, 16_000, format=kind)
    return data.getvalue()


def clips(count: int = 4, kind: str = "WAV") -> list[dict[str, Any]]:
    """Cells as the feature Audio stores them, with names that look like another corpus's."""
    return [{"bytes": sound(i, kind), "path": f"03a0{i}Wa.wav"} for i in range(count)]


def table(names: list[str] | None = None, **columns: list[Any]) -> Any:
    """A table as `datasets` writes it: numbers for classes, their names in the schema."""
    made = pyarrow.table(
        {
            "audio": clips(),
            "label": [0, 1, 0, 1],
            "speaker_id": ["s0", "s0", "s1", "s1"],
            **columns,
        }
    )
    classes = {"names": names or ["angry", "happy"], "_type": "ClassLabel"}
    about = {"info": {"features": {"audio": {"_type": "Audio"}, "label": classes}}}
    return made.replace_schema_metadata({"huggingface": json.dumps(about)})


def save(data: Any, path: Path) -> Path:
    """Write Parquet, or an Arrow stream as `save_to_disk` does; return the data set's folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(data, path)
    else:
        with pyarrow.ipc.new_stream(str(path), data.schema) as stream:
            stream.write_table(data)
    return path.parent


def labels(place: object) -> Labels:
    return sorted(((u.emotion, u.speaker) for u in read_corpus(str(place)).utterances), key=str)


# Parquet and Arrow


@pytest.mark.parametrize(
    "name", ["data/train-00000-of-00001.parquet", "0000.parquet", "data-00000-of-00001.arrow"]
)
def test_a_data_set_is_read_with_its_class_names_and_audio(tmp_path: Path, name: str) -> None:
    save(table(), tmp_path / "emo" / name)
    corpus = read_corpus(f"hf:{tmp_path / 'emo'}")
    assert corpus.name == "emo" and corpus.spec is None
    assert labels(f"hf:{tmp_path / 'emo'}") == sorted(EXPECTED)
    assert corpus.warnings == () and corpus.rejected == ()
    assert len({u.digest for u in corpus.utterances}) == 4
    assert all(u.path.is_relative_to(cache_root()) for u in corpus.utterances)


def test_class_names_may_stand_beside_the_arrow_files(tmp_path: Path) -> None:
    root = save(table().replace_schema_metadata(None), tmp_path / "emo/data.arrow")
    features = {"label": {"names": ["sad", "neutral"], "_type": "ClassLabel"}}
    (root / "dataset_info.json").write_text(json.dumps({"features": features}))
    assert {emotion for emotion, _ in labels(f"hf:{root}")} == {"sadness", "neutral"}


def test_the_folder_in_the_cache_is_the_same_corpus(tmp_path: Path) -> None:
    root = save(table(), tmp_path / "emo/x.parquet")
    corpus = read_corpus(f"hf:{root}")
    assert read_corpus(corpus.root).utterances == corpus.utterances  # and not EmoDB


def test_a_data_set_replaced_by_one_of_its_size_and_time_is_unpacked_again(tmp_path: Path) -> None:
    root = save(table(label=[0, 0, 1, 1]), tmp_path / "emo/x.arrow")
    before = (root / "x.arrow").stat()
    first = labels(f"hf:{root}")
    save(table(label=[1, 1, 0, 0]), root / "x.arrow")
    os.utime(root / "x.arrow", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (root / "x.arrow").stat().st_size == before.st_size
    assert labels(f"hf:{root}") != first


def test_a_data_set_is_unpacked_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = save(table(), tmp_path / "emo/x.parquet")
    first = read_corpus(f"hf:{root}")
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "ParquetFile", None)
        assert read_corpus(f"hf:{root}") == first
    save(table(["sad", "happy"]), tmp_path / "emo/x.parquet")
    assert read_corpus(f"hf:{root}").emotions == ("happiness", "sadness")


def test_a_part_can_be_asked_for(tmp_path: Path) -> None:
    root = save(table(), tmp_path / "emo/train/data.arrow").parent
    save(table(label=[0, 0, 0, 0], audio=clips(kind="FLAC")), root / "test/data.arrow")
    save(table(), root / "train/cache-1234.arrow")
    assert len(labels(f"hf:{root}")) == 8
    assert {emotion for emotion, _ in labels(f"hf:{root}?split=test")} == {"anger"}
    with pytest.raises(CorpusError, match="has no part 'dev'"):
        read_corpus(f"hf:{root}?split=dev")


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    data = table().rename_columns(["clip", "feeling", "who"])
    root = save(data.append_column("sex", [["F", "F", "male", "?"]]), tmp_path / "emo/x.parquet")
    corpus = read_corpus(f"hf:{root}?audio=clip&label=feeling&speaker=who")
    assert corpus.speakers == ("s0", "s1")
    assert sorted(u.gender for u in corpus.utterances) == ["", "female", "female", "male"]


def test_words_may_stand_for_classes_and_rows_without_one_are_left_out(tmp_path: Path) -> None:
    words = pyarrow.array(["Angry", None, "joy", " "])
    data = table().set_column(1, "Emotion", words).drop_columns(["speaker_id"])
    corpus = read_corpus(f"hf:{save(data, tmp_path / 'emo/x.parquet')}")
    assert corpus.counts() == {"anger": 1, "happiness": 1}
    assert "2 rows left out: no label." in corpus.warnings
    assert any("does not tell who speaks" in text for text in corpus.warnings)


def test_audio_that_is_missing_repeated_or_broken_is_told(tmp_path: Path) -> None:
    cells = clips()
    cells[1]["bytes"] = None  # only a path, that leads nowhere
    cells[2] = cells[0]
    cells[3]["bytes"] = b"RIFF and no more"
    corpus = read_corpus(f"hf:{save(table(audio=cells), tmp_path / 'emo/x.parquet')}")
    assert len(corpus.utterances) == 1
    assert "1 row left out: the audio of an earlier one again." in corpus.warnings
    assert sorted(r.path.name[13:] for r in corpus.rejected) == ["03a01Wa.wav", "03a03Wa.wav"]


def test_audio_may_lie_beside_the_table(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"emo/{i}.wav").parent.mkdir(exist_ok=True)
        (tmp_path / f"emo/{i}.wav").write_bytes(sound(i))
    data = table(audio=[f"{i}.wav" for i in range(4)])
    assert labels(f"hf:{save(data, tmp_path / 'emo/x.parquet')}") == sorted(EXPECTED)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?label=mood", "no column mood; there are audio, label, speaker_id"),
        ("?mark=mood", "no option 'mark'; expected label, speaker"),
        ("?audio=speaker_id&label=label", "none of its 4 recordings can be used"),
        ("?audio=label", "the column of the audio holds int"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path: Path, query: str, message: str) -> None:
    root = save(table(speaker_id=["a", "b", "c", "d"]), tmp_path / "emo/x.parquet")
    with pytest.raises(CorpusError, match=message):
        read_corpus(f"hf:{root}{query}")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
@pytest.mark.parametrize("damage", ["empty", "noise", "cut"])
def test_a_damaged_table_is_told(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / "emo" / name
    save(table(), path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "noise": bytes(999), "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(CorpusError, match="damaged or of another kind"):
        read_corpus(f"hf:{path.parent}")
    assert not list(cache_root().glob("datasets/*/*"))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("hf:owner/name", "is not here. Run: emelia corpora fetch hf:owner/name"),
        ("hf:./nowhere", "no such file or folder"),
        ("hf:{}", "not a data set of Hugging Face; expected Parquet or Arrow"),
        ("{}", "no recordings in this folder.*is read as hf:"),
        ("audformat:{}", "db.yaml: cannot be read"),
    ],
)
def test_places_without_a_data_set_are_told(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=message):
        read_corpus(place.format(tmp_path / "empty"))


def test_a_fetched_data_set_is_found_by_its_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(table(), tmp_path / "corpora/owner--name/data/train.parquet")
    monkeypatch.setenv("EMELIA_CORPORA", str(tmp_path / "corpora"))
    corpus = read_corpus("hf:owner/name")
    assert corpus.name == "owner--name" and len(corpus.utterances) == 4


@pytest.mark.parametrize("package", ["pyarrow", "yaml"])
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, database: Make
) -> None:
    kind = "hf" if package == "pyarrow" else "audformat"
    root = save(table(), tmp_path / "emo/x.parquet") if kind == "hf" else database()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"emelia\[datasets\]"):
        read_corpus(f"{kind}:{root}")


# Audio folders


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_audio_folder_is_read_by_its_metadata(tmp_path: Path, kind: str) -> None:
    root, rows = tmp_path / "emo", []
    for i, (emotion, speaker) in enumerate([*EXPECTED, ("sad", "s2")]):
        (root / "data").mkdir(parents=True, exist_ok=True)
        if i < 4:  # the last is missing
            (root / f"data/{i}.wav").write_bytes(sound(i))
        rows.append({"file_name": f"data/{i}.wav", "emotion": emotion, "speaker": speaker})
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    (root / f"metadata.{kind}").write_text("\n".join(lines))
    corpus = read_corpus(f"hf:{root}")
    assert labels(f"hf:{root}") == sorted(EXPECTED)
    assert all(u.path.resolve().is_relative_to(root) for u in corpus.utterances)
    assert [r.reason for r in corpus.rejected] == ["no such file."]


@pytest.mark.parametrize("text", ["", "{", "3", "name,label\n1,2\n", "\xff"])
def test_metadata_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorpusError, match=r"not a table of recordings|no column"):
        read_corpus(f"hf:{tmp_path}")


def test_two_parts_may_name_their_recordings_alike(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "test")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "1.wav").write_bytes(sound(seed))
        (tmp_path / part / "metadata.csv").write_text(f"file_name,label\n1.wav,mood{seed}\n")
    assert len(read_corpus(f"hf:{tmp_path}").utterances) == 2


def test_a_label_or_a_speaker_may_be_the_number_0(tmp_path: Path) -> None:
    rows = []
    for number in range(4):
        (tmp_path / f"{number}.wav").write_bytes(sound(number))
        rows.append({"file_name": f"{number}.wav", "label": number % 2, "speaker_id": number // 2})
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus = read_corpus(f"hf:{tmp_path}")
    assert corpus.counts() == {"0": 2, "1": 2} and corpus.speakers == ("0", "1")


def test_a_row_with_a_cell_too_many_is_named(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,label\n1.wav,sad\n2.wav,sad, or so\n")
    with pytest.raises(CorpusError, match="row 2 has more cells than there are columns"):
        read_corpus(f"hf:{tmp_path}")


# What hubs have


def test_a_row_without_audio_is_left_out_and_counted(tmp_path: Path) -> None:
    cells = [None, *clips()[1:]]
    corpus = read_corpus(f"hf:{save(table(audio=cells), tmp_path / 'emo/x.parquet')}")
    assert len(corpus.utterances) == 3
    assert "1 row left out: no audio." in corpus.warnings


@pytest.mark.parametrize("numbers", [False, True])
def test_most_of_several_raters_decide(tmp_path: Path, numbers: bool) -> None:
    words = [["anger", "anger", "joy"], ["joy", "anger"], ["joy"], []]
    names = ["anger", "joy"]
    labels = [[names.index(w) for w in row] for row in words] if numbers else words
    rows = pyarrow.table({"audio": clips(), "label": labels})
    if numbers:
        feature = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
        info = {"info": {"features": {"label": feature}}}
        rows = rows.replace_schema_metadata({"huggingface": json.dumps(info)})
    corpus = read_corpus(f"hf:{save(rows, tmp_path / 'emo/x.parquet')}")
    assert corpus.counts() == {"anger": 1, "happiness": 1}
    assert any(
        "1 row left out: several labels" in w and w.endswith("rows 2.") for w in corpus.warnings
    )
    assert "1 row left out: no label." in corpus.warnings


def test_rows_for_one_file_are_segments_of_it(tmp_path: Path) -> None:
    (tmp_path / "1.wav").write_bytes(sound(1))
    rows = "1.wav,0,0.02,sad\n1.wav,0.02,0.04,angry\n"
    (tmp_path / "metadata.csv").write_text(f"file_name,start,end,label\n{rows}")
    corpus = read_corpus(f"hf:{tmp_path}")
    assert [(u.span, u.emotion) for u in corpus.utterances] == (
        [((0.0, 0.02), "sadness"), ((0.02, 0.04), "anger")]
    )


@pytest.mark.parametrize("kind", [float, int])
def test_decoded_audio_is_read(tmp_path: Path, kind: type) -> None:
    rng = np.random.default_rng(0)
    sounds = [(8_000 * rng.uniform(-1, 1, 1_600)).astype(int) for _ in range(4)]
    full = 32_768.0
    cells = [
        {
            "array": (s if kind is int else s / full).tolist(),
            "sampling_rate": 16_000,
            "path": None,
        }
        for s in sounds
    ]
    rows = pyarrow.table({"audio": cells, "label": ["sad", "sad", "angry", "angry"]})
    corpus = read_corpus(f"hf:{save(rows, tmp_path / 'emo/x.parquet')}")
    heard = [decode(u.path) for u in corpus.utterances]
    assert {rate for _, rate in heard} == {16_000}
    wanted = [s / full for s in sounds]
    assert all(any(np.allclose(w, wave, atol=1e-4) for w in wanted) for wave, _ in heard)


def test_official_parts_are_those_of_the_files(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "validation", "test")):
        cells = [{"bytes": sound(10 * seed + n), "path": None} for n in range(2)]
        rows = pyarrow.table({"audio": cells, "label": ["sad", "angry"]})
        save(rows, tmp_path / f"emo/data/{part}-00000-of-00001.parquet")
    corpus = read_corpus(f"hf:{tmp_path / 'emo'}")
    assert Counter(u.part for u in corpus.utterances) == {"train": 2, "validation": 2, "test": 2}


# audformat

HEADER = """name: emo
source: nowhere
usage: research
languages: [deu]
schemes:
  emotion:
    dtype: str
    labels: [anger, happiness]
  speaker:
    dtype: str
    labels:
      s0: {gender: male, age: 3}
      s1: {gender: female}
tables:
  emotion:
    type: filewise
    columns:
      emotion: {scheme_id: emotion}
      confidence: {}
  files:
    type: filewise
    columns:
      speaker: {scheme_id: speaker}
  seg:
    type: segmented
    columns:
      emotion: {scheme_id: emotion}
"""
Make = Callable[..., Path]


@pytest.fixture
def database(tmp_path: Path) -> Make:
    """Write a database as audformat does, in CSV or Parquet; return its folder."""

    def make(suffix: str = "csv", header: str = HEADER) -> Path:
        root = tmp_path / "database"
        (root / "wav").mkdir(parents=True)
        (root / "db.yaml").write_text(header)
        files = [f"wav/03a0{i}Wa.wav" for i in range(6)]  # two of them without a label
        for seed, file in enumerate(files):
            (root / file).write_bytes(sound(seed))
        emotions = {"file": files[:4], "emotion": [e for e, _ in EXPECTED], "confidence": [""] * 4}
        speakers = {"file": files, "speaker": [*(s for _, s in EXPECTED), "s1", "s1"]}
        for name, columns in {"emotion": emotions, "files": speakers}.items():
            data = pyarrow.table(columns)
            if suffix == "parquet":
                parquet.write_table(data, root / f"db.{name}.parquet")
            else:
                rows = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
                (root / f"db.{name}.csv").write_text("\n".join(rows) + "\n")
        return root

    return make


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_audformat_database_is_read_with_what_its_schemes_tell(
    database: Make, suffix: str
) -> None:
    corpus = read_corpus(f"audformat:{database(suffix)}")
    assert corpus.name == "emo"
    assert [(u.emotion, u.speaker) for u in sorted(corpus.utterances, key=lambda u: u.id[-8:])] == (
        EXPECTED
    )
    assert {(u.speaker, u.gender) for u in corpus.utterances} == {("s0", "male"), ("s1", "female")}


def test_a_row_of_a_database_with_a_cell_too_many_is_named(database: Make) -> None:
    root = database()
    with (root / "db.files.csv").open("a") as file:
        file.write("wav/03a00Wa.wav,s0,more\n")
    with pytest.raises(CorpusError, match="row 7 has more cells"):
        read_corpus(f"audformat:{root}")


def test_tables_and_columns_of_a_database_can_be_named(database: Make) -> None:
    root = database()
    assert len(read_corpus(f"audformat:{root}?label=emotion").utterances) == 4
    assert len(read_corpus(f"audformat:{root}?table=files&label=speaker").utterances) == 6


def test_segments_of_a_database_are_clips(database: Make) -> None:
    root = database()
    (root / "db.emotion.csv").unlink()
    header = HEADER.replace(
        "  emotion:\n    type: filewise\n    columns:\n"
        "      emotion: {scheme_id: emotion}\n      confidence: {}\n",
        "",
    )
    (root / "db.yaml").write_text(header)
    rows = [
        "wav/03a00Wa.wav,0 days 00:00:00,0 days 00:00:00.02,anger",
        "wav/03a00Wa.wav,0 days 00:00:00.02,NaT,happiness",
        "wav/03a01Wa.wav,0 days 00:00:00,NaT,happiness",
    ]
    (root / "db.seg.csv").write_text("\n".join(["file,start,end,emotion", *rows]) + "\n")
    corpus = read_corpus(f"audformat:{root}")
    assert sorted((u.emotion, u.speaker, u.span) for u in corpus.utterances) == [
        ("anger", "s0", (0.0, 0.02)), ("happiness", "s0", (0.0, None)),
        ("happiness", "s0", (0.02, None)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?label=mood", "no table has a column mood; the tables are emotion, files"),
        ("?table=votes", "no table votes; there are emotion, files"),
        ("?speaker=who", "no column who; there are"),
    ],
)
def test_what_a_database_does_not_have_is_told(database: Make, query: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_corpus(f"audformat:{database()}{query}")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "names no tables"),
        ("tables: [", "not a header of audformat"),
        ("tables:\n  a: {type: misc}\n", "no table of files or segments"),
        ("tables:\n  a: {type: segmented}\n", "neither as CSV nor as Parquet"),
        ("tables:\n  a: {type: filewise}\n", "neither as CSV nor as Parquet"),
        ("!!python/object/apply:os.system ['true']", "not a header of audformat"),
    ],
)
def test_headers_that_cannot_be_used_are_told(database: Make, header: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_corpus(f"audformat:{database(header=header)}")
