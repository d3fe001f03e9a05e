"""Known corpora: file names are read as documented, each by its own reader alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emelia.corpora import CORPORA, Corpus, Fields, read_corpus
from emelia.corpora.splits.scheme import audit, audit_lines, make_split
from emelia.errors import CorpusError

# What each file's name tells; where a label lies beside the files, the emotion is empty here.
TREES: dict[str, dict[str, Fields]] = {
    "aesdd": {
        "anger/a01 (1).wav": Fields("anger", "1", "01"),
        "anger/a06 (5)b.wav": Fields("anger", "5", "06", "b"),
        "disgust/d20 (6).wav": Fields("disgust", "6", "20"),
        "disgust/d03 (01).wav": Fields("disgust", "1", "03"),
        "fear/f10 (01).wav": Fields("fear", "1", "10"),
        "happiness/h04 (2).wav": Fields("happiness", "2", "04"),
        "sadness/s01 (5)a.wav": Fields("sadness", "5", "01", "a"),
    },
    "ased": {
        "01Neutral/n1-01-02-01-05.wav": Fields("neutral", "05", take="01-02"),
        "02Fearful/f2-07-01-02-65.wav": Fields("fear", "65", take="07-01"),
        "03Happy/h3-02-01-02-60.wav": Fields("happiness", "60", take="02-01"),
        "04Sad/S4-04-02-01-29.wav": Fields("sadness", "29", take="04-02"),
        "05Angry/a5-03-01-01-13.wav": Fields("anger", "13", take="03-01"),
    },
    "cafe": {
        "Colère/Fort/05-C-2-3.wav": Fields("anger", "05", "3", "strong", "male"),
        "Neutre/12-N-1-6.wav": Fields("neutral", "12", "6", "mild", "female"),
        "Peur/Faible/04-P-1-1.wav": Fields("fear", "04", "1", "mild", "female"),
    },
    "casia": {
        "ZhaoZuoxiang/happy/201.wav": Fields("happiness", "ZhaoZuoxiang", "201"),
        "liuchanhg/angry/209.wav": Fields("anger", "liuchanhg", "209"),
        "wangzhe/surprise/250.wav": Fields("surprise", "wangzhe", "250"),
        "zhaoquanyin/sad/230.wav": Fields("sadness", "zhaoquanyin", "230"),
    },
    "cremad": {
        "AudioWAV/1001_DFA_ANG_XX.wav": Fields("anger", "1001", "DFA", "XX", "male"),
        "AudioWAV/1091_WSI_SAD_LO.wav": Fields("sadness", "1091", "WSI", "LO", "female"),
        "AudioWAV/1040_ITH_SAD_X.wav": Fields("sadness", "1040", "ITH", "X", "male"),
    },
    "demo": {"anger/f1_de1_1.wav": Fields("anger", "f1", "de1", "1", "female")},
    "emodb": {
        "wav/03a01Wa.wav": Fields("anger", "03", "a01", "a", "male"),
        "wav/16b10Ld.wav": Fields("boredom", "16", "b10", "d", "female"),
        "wav/16b10Ed.wav": Fields("disgust", "16", "b10", "d", "female"),
        "wav/16b10Ad.wav": Fields("fear", "16", "b10", "d", "female"),
        "wav/16b10Fd.wav": Fields("happiness", "16", "b10", "d", "female"),
        "wav/16b10Nd.wav": Fields("neutral", "16", "b10", "d", "female"),
        "wav/16b10Td.wav": Fields("sadness", "16", "b10", "d", "female"),
    },
    "emogator": {
        "000001-03-1.wav": Fields("anger", "000001", take="03-1"),
        "000074-10-1.wav": Fields("disgust", "000074", take="10-1"),
        "mp3/000357-28-3.wav": Fields("surprise", "000357", take="28-3"),
    },
    "emovo": {
        "f1/rab-f1-b2.wav": Fields("anger", "f1", "b2", gender="female"),
        "m3/gio-m3-n5.wav": Fields("happiness", "m3", "n5", gender="male"),
        "m3/sor-m3-d1.wav": Fields("surprise", "m3", "d1", gender="male"),
    },
    "emozionalmente": {
        "audio/1612872848291.wav": Fields("", ""),
        "audio/1612872848292.wav": Fields("", ""),
    },
    "esd": {
        "0011/Angry/0011_000351.wav": Fields("anger", "0011", "en001"),
        "0020/Surprise/test/0020_001750.wav": Fields("surprise", "0020", "en350"),
        "0001/Neutral/0001_000001.wav": Fields("neutral", "0001", "zh001"),
    },
    "iemocap": {
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav": Fields(
            "", "1F", gender="female"
        ),
        "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M012.wav": Fields(
            "", "5M", gender="male"
        ),
    },
    "mesd": {
        "Anger_F_A_abajo.wav": Fields("anger", "F", "abajo", gender="female"),
        "Neutral_C_B_tierra roja.wav": Fields("neutral", "C", "tierra roja"),
        "Disgust_M_A_Basura.wav": Fields("disgust", "M", "basura", gender="male"),
    },
    "nemo": {
        "samples/EB0_anger_12.wav": Fields("anger", "EB0", "12", gender="female"),
        "samples/EB0_surprised_7.wav": Fields("surprise", "EB0", "07", gender="female"),
        "samples/WR0_anger_90.wav": Fields("anger", "WR0", "90", gender="male"),
    },
    "ravdess": {
        "Actor_07/03-01-05-02-01-02-07.wav": Fields("anger", "07", "01", "02 strong", "male"),
        "Actor_18/01-01-07-01-02-01-18.wav": Fields("disgust", "18", "02", "01 normal", "female"),
        "Actor_01/03-01-01-01-01-01-01.wav": Fields("neutral", "01", "01", "01 normal", "male"),
        "Actor_24/03-01-02-01-02-02-24.wav": Fields("calm", "24", "02", "02 normal", "female"),
        "Actor_13/03-01-08-02-01-02-13.wav": Fields("surprise", "13", "01", "02 strong", "male"),
    },
    "ravdess-song": {
        "Actor_07/03-02-05-02-01-02-07.wav": Fields("anger", "07", "01", "02 strong", "male"),
        "Actor_24/01-02-02-01-02-01-24.wav": Fields("calm", "24", "02", "01 normal", "female"),
    },
    "savee": {
        "DC/sa05.wav": Fields("sadness", "DC", "sa05", gender="male"),
        "KL/n30.wav": Fields("neutral", "KL", "n30", gender="male"),
        "JE_a01.wav": Fields("anger", "JE", "a01", gender="male"),
    },
    "shemo": {
        "female/F03S02.wav": Fields("sadness", "F03", gender="female"),
        "male/M02F01.wav": Fields("fear", "M02", gender="male"),
        "male/M12W09.wav": Fields("surprise", "M12", gender="male"),
    },
    "subesco": {
        "F_01_OISHI_S_1_ANGRY_1.wav": Fields("anger", "F01", "1", "1", "female"),
        "M_10_MONIR_S_10_HAPPY_5.wav": Fields("happiness", "M10", "10", "5", "male"),
    },
    "tess": {
        "OAF_angry/OAF_back_angry.wav": Fields("anger", "OAF", "back", gender="female"),
        "YAF_ps/YAF_youth_ps.wav": Fields("surprise", "YAF", "youth", gender="female"),
        "OAF_neutral/OA_bite_neutral.wav": Fields("neutral", "OAF", "bite", gender="female"),
    },
    "turev": {
        "Angry/1157_kz_acik.wav": Fields("anger", "1157", "acik"),
        "Happy/6783_mt_gunes.wav": Fields("happiness", "6783", "gunes"),
        "Sad/7895_hl_ogul1.wav": Fields("sadness", "7895", "ogul", "1"),
    },
    "urdu": {
        "Angry/SM1_F10_A010.wav": Fields("anger", "SM1", gender="male"),
        "Happy/SF22_F1_H01.wav": Fields("happiness", "SF22", gender="female"),
    },
}
# Near each naming scheme, and not of it.
FOREIGN = {
    "aesdd": ("x01 (1)", "a21 (1)", "a00 (1)", "a01 (0)", "a01", "a01 (1) copy"),
    "ased": (
        *("n1-08-01-01-05", "n1-01-03-01-05", "n1-01-01-03-05", "n1-01-01-01-66"),
        *("n1-01-01-01-00", "n2-01-01-01-05", "n1-01-01-05", "angry/n1-01-01-01-05"),
    ),
    "cafe": ("13-C-2-3", "05-X-2-3", "05-C-3-3", "05-C-2-7"),
    "casia": (
        *("wangzhe/angry/200", "wangzhe/angry/251", "wangzhe/angry/0201", "wangzhe/disgust/201"),
        *("anna/angry/201", "angry/201", "wangzhe/201", "201"),
    ),
    "cremad": ("1092_DFA_ANG_XX", "1001_XYZ_ANG_XX", "1001_DFA_SUR_XX", "1000_DFA_ANG_XX"),
    "emodb": ("03a01Xa", "07a01Wa"),
    "emogator": (
        *("000000-03-1", "000358-03-1", "000001-00-1", "000001-31-1", "000001-03-0", "000001-03"),
        *("230115-10-1", "Sad/000001-03-1", "Angry/000001-02-1", "Angry/000001-04-1"),
    ),
    "emovo": ("rab-f4-b2", "rab-f1-b4", "gui-f1-b1"),
    "emozionalmente": ("anger/1612872848291", "audio/161287284829", "1612872848291"),
    "esd": ("0021/Angry/0021_000001", "0011/0011_000001", "0011/Angry/0011_00001"),
    "iemocap": ("Ses06F_impro01_F000", "Ses01F_impro01", "Ses01F_F000"),
    "mesd": ("Surprise_F_A_abajo", "Anger_X_A_abajo", "Anger_F_C_abajo", "Anger_F_A_"),
    "nemo": ("EB0_disgust_7",),
    "ravdess": (
        *("02-01-05-02-01-02-07", "03-02-05-02-01-02-07", "01-02-05-02-01-02-07"),
        *("03-01-09-01-01-01-01", "03-01-01-01-01-01-25"),
    ),
    "ravdess-song": ("03-01-05-02-01-02-07", "02-02-05-02-01-02-07", "03-02-07-02-01-02-07"),
    "savee": ("XX/sa05", "DC/sa16", "DC/n31", "DC/a00", "DC/x01"),
    "shemo": ("X03S02", "F03B02", "F3S02"),
    "subesco": ("F_11_OISHI_S_1_ANGRY_1", "F_01_OISHI_S_1_CALM_1", "F_01_OISHI_S_1_ANGRY_6"),
    "tess": ("OAF_back_calm", "MAF_back_angry", "OAF_angry"),
    "turev": (
        *("1158_kz_acik", "1157_xx_acik", "1157_kz_", "1157_kz_12", "1157_acik"),
        *("Sad/1157_kz_acik", "neutral/1157_sk_acik", "sad/day1/1157_kz_acik"),
    ),
    "urdu": ("SX1_F10_A010", "SM1_F10_B010", "SM1_A010"),
}
ALL = [(name, file) for name, files in TREES.items() for file in files]


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Make files of the names given, each with a sound of its own; return their folder."""
    rng = np.random.default_rng(0)

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "corpus" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal(800), 16_000)
        return tmp_path / "corpus"

    return make


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_registered_corpus_has_a_made_tree() -> None:
    assert TREES.keys() == CORPORA.keys()


@pytest.mark.parametrize(("name", "file"), ALL)
def test_names_tell_what_the_corpus_documents(name: str, file: str) -> None:
    assert CORPORA[name].parse(Path(file)) == TREES[name][file]


@pytest.mark.parametrize(
    ("name", "stem"), [(name, stem) for name, stems in FOREIGN.items() for stem in stems]
)
def test_names_near_the_scheme_are_not_claimed(name: str, stem: str) -> None:
    assert CORPORA[name].parse(Path(f"{stem}.wav")) is None


@pytest.mark.parametrize("reader", sorted(CORPORA))
def test_no_reader_claims_the_tree_of_another(reader: str) -> None:
    claimed = {n for n, file in ALL if CORPORA[reader].parse(Path(file)) is not None}
    assert claimed == {reader}


@pytest.mark.parametrize("name", sorted(TREES.keys() - {"emozionalmente", "iemocap", "demo"}))
def test_a_folder_is_recognised_in_any_format_with_a_foreign_file_left_out(
    name: str, tree: Callable[..., Path]
) -> None:
    files = [file.replace(".wav", ".flac") for file in TREES[name]]
    corpus = read_corpus(tree(*files, "notes.wav") if len(files) > 1 else tree(*files))
    assert corpus.name == name
    assert sorted(u.id for u in corpus.utterances) == sorted(files)
    assert [r.path.name for r in corpus.rejected] == ["notes.wav"] * (len(files) > 1)
    assert {u.emotion for u in corpus.utterances} <= set(CORPORA[name].emotions)


def test_a_corpus_with_unpublished_class_sizes_is_compared_by_its_number_of_clips(
    tree: Callable[..., Path],
) -> None:
    notes = read_corpus(tree("female/F03S02.wav", "male/M02F01.wav")).warnings
    assert notes == (
        "2 of 3000 clips are here: no anger, happiness, neutral, surprise; 2 of 87 speakers.",
    )


# Four whose names tell little by themselves


@pytest.mark.parametrize(
    "names",
    [
        ("Angry/anna_kz_hello.wav", "Sad/anna_kz_hello.wav"),
        ("Angry/1234_hello.wav", "Sad/1234_hello.wav"),
        ("Angry/1234_sk_hello.wav", "Sad/1234_mt_hello.wav"),
        ("Angry/000123-10-1.wav", "Sad/000123-18-1.wav"),
        ("Angry/n1-01-01-01-05.wav", "Sad/n1-01-01-01-06.wav"),
        ("angry/201.wav", "sad/201.wav"),
        ("angry/wangzhe/201.wav", "sad/wangzhe/201.wav"),
        ("anna/angry/201.wav", "bob/sad/201.wav"),
    ],
)
def test_a_folder_of_ones_own_is_not_taken_for_a_corpus_it_looks_like(
    names: tuple[str, ...], tree: Callable[..., Path]
) -> None:
    corpus = read_corpus(tree(*names))
    assert corpus.spec is None and corpus.emotions == ("anger", "sadness")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("ased/05Angry/a5-03-01-01-13.wav", "ased"),
        ("05Angry/f2-07-01-02-65.wav", "ased"),
        ("casia/wangzhe/angry/201.wav", "casia"),
        ("Angry/1157_kz_acik.wav", "turev"),
        ("train/7895_hl_ogul1.wav", "turev"),
        ("happy/000074-13-1.wav", "emogator"),
        ("data/mp3/000074-02-1.wav", "emogator"),
    ],
)
def test_a_part_is_recognised_whichever_folder_is_given(
    part: str, name: str, tree: Callable[..., Path]
) -> None:
    root = tree(part)
    assert read_corpus(root).name == name
    if name != "casia":  # whose speaker and emotion only the folders tell
        assert read_corpus((root / part).parent).name == name


@pytest.mark.parametrize(
    ("files", "alone", "merged"),
    [
        (("Calm/1157_sk_acik.wav", "Sad/1157_hl_acik.wav"), ["calm"], "neutral"),
        (
            ("000001-02-1.wav", "000001-13-1.wav", "000001-24-1.wav"),
            ["amusement", "elation"],
            "happiness",
        ),
    ],
)
def test_kinds_of_an_emotion_count_as_it_unless_they_are_named(
    files: tuple[str, ...], alone: list[str], merged: str, tree: Callable[..., Path]
) -> None:
    root = tree(*files)
    assert read_corpus(root).counts() == {merged: len(alone), "sadness": 1}
    assert read_corpus(root, emotions=alone).emotions == tuple(alone)


def test_other_classes_of_emogator_are_left_out_in_one_line(tree: Callable[..., Path]) -> None:
    named = ("000001-03-1.wav", "000001-24-1.wav")
    corpus = read_corpus(tree(*named, *(f"000001-{n}-1.wav" for n in ("01", "04", "22", "30"))))
    assert corpus.name == "emogator" and corpus.counts() == {"anger": 1, "sadness": 1}
    assert corpus.rejected == ()
    (note,) = corpus.warnings
    assert note.startswith("4 clips of classes other than 02, 03, 10,")


def test_other_classes_of_emogator_alone_cannot_be_used(tree: Callable[..., Path]) -> None:
    with pytest.raises(CorpusError, match=r"000001-04-1.wav: its class is none of 02, 03"):
        read_corpus(tree("000001-04-1.wav"))


@pytest.fixture
def known(tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three speakers of each of the four in anger and sadness, below EMELIA_CORPORA."""
    root = tree(
        *(f"casia/{who}/{e}/201.wav" for who in ("liuchanhg", "wangzhe", "zhaoquanyin")
          for e in ("angry", "sad")),
        *(f"turev/{e}_kz_acik.wav" for e in ("1157", "1234", "1358")),
        *(f"turev/{e}_hl_acik.wav" for e in ("1157", "1234", "1358")),
        *(f"ased/{e}-01-01-01-0{who}.wav" for e in ("a5", "s4") for who in (1, 2, 3)),
        *(f"emogator/00000{who}-{e}-1.wav" for e in ("03", "24") for who in (1, 2, 3)),
    )  # fmt: skip
    monkeypatch.setenv("EMELIA_CORPORA", str(root))
    return root


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("name", ["ased", "casia", "emogator", "turev"])
def test_one_known_by_name_is_split_by_speakers(name: str) -> None:
    corpus = read_corpus(name)
    assert corpus.spec is CORPORA[name] and len(corpus.utterances) == 6
    for split in ("loso", "folds-3"):
        folds = make_split(corpus, split).folds
        assert len(folds) == 3 and all(len(fold.test) == 2 for fold in folds)
    told = audit_lines(audit(make_split(corpus, "loso")))
    said = "unknown" if name in ("ased", "emogator") else "shared"
    assert all("speakers disjoint" in line for line in told)
    assert all(re.search(f"sentences {said}", line) for line in told)


@pytest.mark.usefixtures("known")
def test_the_four_are_joined_and_left_out_in_turn() -> None:
    corpus = read_corpus("ased+casia+emogator+turev")
    assert len(corpus.speakers) == 12 and corpus.emotions == ("anger", "sadness")
    folds = make_split(corpus, "loco").folds
    assert [fold.name for fold in folds] == ["ased", "casia", "emogator", "turev"]
    assert "no language (emogator)" in make_split(corpus, "language").protocol


@pytest.mark.parametrize(
    ("name", "sentences"), [("ased", 1), ("casia", 50), ("turev", 82), ("emogator", 1)]
)
def test_the_names_of_the_real_ones_are_all_understood(
    corpora: Callable[[str], Path], name: str, sentences: int
) -> None:
    root, spec = corpora(name), CORPORA[name]
    fields = [spec.parse(path.relative_to(root)) for path in root.rglob("*.*")]
    assert None not in fields
    counts = Counter(f.emotion for f in fields if f)
    if name == "emogator":
        assert counts == dict.fromkeys(spec.emotions, 357) | {"surprise": 714}
    else:
        assert counts == spec.emotions and len(fields) == spec.clips
    assert len({f.speaker for f in fields if f}) == spec.speakers
    assert len({f.sentence for f in fields if f}) == sentences
    assert not any(f.gender for f in fields if f)


def test_24_speakers_of_ased_lack_an_emotion(corpora: Callable[[str], Path]) -> None:
    heard: dict[str, set[str]] = {}
    for path in corpora("ased").rglob("*.*"):
        if fields := CORPORA["ased"].parse(path):
            heard.setdefault(fields.speaker, set()).add(fields.emotion)
    assert sum(len(emotions) == 5 for emotions in heard.values()) == 41


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("01Neutral/n1-07-01-02-53", "01Neutral/n1-07-02-02-53"),
        ("03Happy/h3-01-01-02-08", "03Happy/h3-01-02-02-08"),
        ("04Sad/s4-03-01-01-23", "04Sad/s4-03-02-01-23"),
        ("05Angry/a5-07-01-02-63", "05Angry/a5-07-02-02-63"),
    ],
)
def test_the_identical_pairs_of_ased_are_pointed_out(
    one: str, other: str, corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "pair").mkdir()
    for name in (one, other):
        (found,) = corpora("ased").glob(f"{name}.*")
        (tmp_path / "pair" / found.name).symlink_to(found)
    corpus = read_corpus(tmp_path / "pair")
    assert len(corpus.utterances) == 2
    assert any(note.startswith("Identical audio: ") for note in corpus.warnings)


# Emozionalmente

SAMPLES = (
    "file_name,actor,sentence,emotion_expressed\n"
    "1612872848291.wav,anna,Ciao,joy\n1612872848292.wav,bo,Ciao,neutrality\n"
)
USERS = "username,gender,age\nanna,f,30\nbo,other,40\n"


@pytest.fixture
def italian(tree: Callable[..., Path]) -> Path:
    root = tree(*TREES["emozionalmente"], "audio/1612872848293.wav")
    write(root / "metadata/samples.csv", SAMPLES)
    write(root / "metadata/users.csv", USERS)
    return root


def test_emozionalmente_is_labelled_by_its_tables(italian: Path) -> None:
    corpus = read_corpus(italian)
    assert corpus.name == "emozionalmente"
    assert [(u.emotion, u.speaker, u.sentence, u.gender) for u in corpus.utterances] == [
        ("happiness", "anna", "Ciao", "female"),
        ("neutral", "bo", "Ciao", ""),
    ]
    (left,) = corpus.rejected
    assert (left.path.name, left.reason) == (
        ("1612872848293.wav", "is not listed in metadata/samples.csv")
    )


def test_emozionalmente_is_found_below_the_folder_given(italian: Path) -> None:
    assert len(read_corpus(italian.parent).utterances) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table with the columns actor, emotion_expressed, file_name, sentence"),
        ("file,label\na,b\n", "expected a table with the columns"),
        (None, r"samples.csv: cannot be read .*holds the labels"),
    ],
)
def test_tables_that_cannot_be_used_are_told(italian: Path, text: str | None, message: str) -> None:
    path = italian / "metadata/samples.csv"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_corpus(italian)


# IEMOCAP

SCENE = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom 2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_F001\texc\t[2.5000, 2.5000, 2.5000]
[11.0100 - 12.3925]\tSes01F_impro01_M000\thap\t[2.5000, 2.5000, 2.5000]
[12.0100 - 13.3925]\tSes01F_impro01_M001\tfru\t[2.5000, 2.5000, 2.5000]
[13.0100 - 14.3925]\tSes01F_impro01_M002\txxx\t[2.5000, 2.5000, 2.5000]
[14.0100 - 15.3925]\tSes01F_impro01_M003\toth\t[2.5000, 2.5000, 2.5000]
"""
TURNS = ("F000", "F001", "M000", "M001", "M002", "M003", "M004")


@pytest.fixture
def dyads(tree: Callable[..., Path]) -> Path:
    folder = "Session1/sentences/wav/Ses01F_impro01"
    root = tree(
        *(f"{folder}/Ses01F_impro01_{turn}.wav" for turn in TURNS),
        "Session1/dialog/wav/Ses01F_impro01.wav",
    )
    write(root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", SCENE)
    return root


def emotions(corpus: Corpus) -> dict[str, str]:
    return {u.id[-8:-4]: u.emotion for u in corpus.utterances}


def test_iemocap_is_labelled_by_the_text_files_of_its_scenes(dyads: Path) -> None:
    corpus = read_corpus(dyads)
    assert corpus.name == "iemocap"
    assert emotions(corpus) == {
        "F000": "neutral",
        "F001": "happiness",
        "M000": "happiness",
        "M001": "frustration",
    }
    assert corpus.speakers == ("1F", "1M")
    assert "1 clips of excitement count as happiness" in " ".join(corpus.warnings)
    assert "1 clips whose emotion is not agreed on (xxx) were left out." in corpus.warnings
    assert [r.path.name for r in corpus.rejected] == ["Ses01F_impro01_M004.wav"]


def test_iemocap_has_the_four_and_five_classes_of_the_literature(dyads: Path) -> None:
    four = read_corpus(dyads, emotions=["happiness", "neutral"])
    assert emotions(four) == {"F000": "neutral", "F001": "happiness", "M000": "happiness"}
    five = read_corpus(dyads, emotions=["happiness", "excitement", "neutral"])
    assert emotions(five)["F001"] == "excitement"
    spec = CORPORA["iemocap"]
    assert (
        sum(spec.emotions[e] for e in ("anger", "happiness", "neutral", "sadness"))
        + (spec.emotions["excitement"])
        == 5531
    )


def test_one_session_or_its_recordings_alone_are_read_too(dyads: Path) -> None:
    assert len(read_corpus(dyads / "Session1").utterances) == 4
    assert len(read_corpus(dyads / "Session1/sentences/wav").utterances) == 4


def test_iemocap_without_an_agreed_label_cannot_be_used(dyads: Path) -> None:
    for path in dyads.rglob("*_[FM]00[0-9].wav"):
        if not path.stem.endswith(("M002", "M003")):
            path.unlink()
    with pytest.raises(CorpusError, match=r"none of its 2 .*is not agreed on \(xxx\)"):
        read_corpus(dyads)


def test_missing_label_files_are_told(dyads: Path) -> None:
    (dyads / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").unlink()
    with pytest.raises(CorpusError, match=r"Ses01F_impro01.txt: cannot be read .*labels"):
        read_corpus(dyads)
    (dyads / "Session1/sentences").rename(dyads / "Session1/clips")
    with pytest.raises(CorpusError, match="expected it in a folder sentences beside dialog"):
        read_corpus(dyads)


def test_names_are_understood_however_their_accents_are_written() -> None:
    path = Path("Angry/1157_kz_akşam1.wav")
    composed = CORPORA["turev"].read_name(path)
    assert composed is not None and composed.emotion == "anger"
    apart = Path(unicodedata.normalize("NFD", str(path)))
    assert CORPORA["turev"].read_name(apart) == composed
