"""Reading corpora: names, folders, manifests, broken files, the cache of scans."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, voice

from emelia.audio import Wave, content_digest, decode
from emelia.audio.files import SUFFIXES
from emelia.audio.heard import Heard
from emelia.caches import cache_root
from emelia.corpora import CORPORA, read_corpus, scan
from emelia.corpora.known.europe import emodb
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.errors import AudioError, CorpusError
from emelia.use.inputs import recordings

Make = Callable[..., Path]


def write(path: Path, seed: int = 0, seconds: float = 0.1) -> Path:
    """Write noise that is another for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = 0.1 * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))
    soundfile.write(path, sound.astype(np.float32), 16_000)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Make:
    """Make files of the names given, each with a sound of its own; return their folder."""

    def make(*names: str, folder: str = "corpus") -> Path:
        for seed, name in enumerate(names):
            write(tmp_path / folder / name, seed)
        return tmp_path / folder

    return make


def manifest(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_every_registered_corpus_is_described_in_full(name: str) -> None:
    spec = CORPORA[name]
    assert spec.name == name
    assert all((spec.title, spec.homepage, spec.licence, spec.citation, spec.language, spec.names))
    assert sum(spec.emotions.values()) in (spec.clips, 0)
    assert bool(spec.source) != bool(spec.obtain), "download freely or by hand"
    assert spec.parse(Path("README.wav")) is None


# Folders of a registered corpus


def test_the_reader_that_understands_most_names_is_taken(tree: Make) -> None:
    root = tree("x/03a01Wa.wav", "x/08a02Fb.wav", "y/a01 (1).wav")
    corpus = read_corpus(root)
    assert corpus.name == "emodb"
    assert corpus.spec is emodb.SPEC
    assert [u.id for u in corpus.utterances] == ["x/03a01Wa.wav", "x/08a02Fb.wav"]
    (left,) = corpus.rejected
    assert left.path == root / "y/a01 (1).wav"
    assert "not one of emodb's" in left.reason and "'03a01Wa.wav'" in left.reason
    assert corpus.warnings[0].startswith("1 of 3 recordings have names that are not emodb's")


@pytest.mark.parametrize("suffix", ["wav", "WAV", "flac", "ogg", "mp3"])
def test_the_format_of_the_files_does_not_matter(tmp_path: Path, suffix: str) -> None:
    for name in ("03a01Wa", "08a02Fb"):
        write(tmp_path / f"{name}.{suffix}", seconds=0.5)
    assert [u.speaker for u in read_corpus(tmp_path).utterances] == ["03", "08"]


def test_a_wav_file_and_its_flac_copy_have_the_same_digest(tmp_path: Path) -> None:
    sound, rate = soundfile.read(write(tmp_path / "03a01Wa.wav"), dtype="int16")
    soundfile.write(tmp_path / "03a01Wb.flac", sound, rate)
    corpus = read_corpus(tmp_path)
    assert len({u.digest for u in corpus.utterances}) == 1
    assert corpus.utterances[0].digest == content_digest(*decode(tmp_path / "03a01Wa.wav"))
    assert "Identical audio: 03a01Wa.wav = 03a01Wb.flac." in corpus.warnings


def test_identical_audio_with_different_labels_is_pointed_out(tmp_path: Path) -> None:
    shutil.copy(write(tmp_path / "03a01Wa.wav"), tmp_path / "03a01Fa.wav")
    (warning,) = [w for w in read_corpus(tmp_path).warnings if w.startswith("Identical")]
    assert "with different emotions" in warning


def test_a_part_of_a_corpus_is_read_with_a_note_of_what_is_missing(tree: Make) -> None:
    corpus = read_corpus(tree("03a01Wa.wav", "08a02Fb.wav"))
    assert corpus.warnings == (
        "2 of 535 clips are here: no boredom, disgust, fear, neutral, sadness; "
        "anger 1 of 127; happiness 1 of 71; 2 of 10 speakers.",
    )


def test_broken_recordings_are_left_out_with_their_reason(tree: Make) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav")
    (root / "09a01Na.wav").write_bytes(b"RIFF\x1c\x00\x00\x00WAVEfmt ")
    (root / "10a01Na.wav").write_bytes(b"")
    (root / "11a01Na.wav").symlink_to(root / "gone.wav")
    os.mkfifo(root / "12a01Na.wav")
    corpus = read_corpus(root)
    assert len(corpus.utterances) == 2
    reasons = {r.path.name: r.reason for r in corpus.rejected}
    assert set(reasons) == {f"{n}a01Na.wav" for n in ("09", "10", "11", "12")}
    assert all(reasons.values())
    assert not any(str(root) in reason for reason in reasons.values())


def test_hidden_files_and_links_that_lead_back_are_ignored(tree: Make) -> None:
    root = tree("wav/03a01Wa.wav", "wav/._03a01Wa.wav", ".trash/08a02Fb.wav")
    (root / "wav" / "loop").symlink_to(root)
    (root / "wav" / "self").symlink_to(root / "wav")
    assert [u.id for u in read_corpus(root).utterances] == ["wav/03a01Wa.wav"]


def test_a_linked_folder_is_read(tree: Make, tmp_path: Path) -> None:
    elsewhere = tree("03a01Wa.wav", folder="elsewhere")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "link").symlink_to(elsewhere)
    assert [u.id for u in read_corpus(tmp_path / "corpus").utterances] == ["link/03a01Wa.wav"]


def test_a_name_that_is_not_utf8_is_left_out(tree: Make) -> None:
    root = tree("anger/s1_1.wav", "fear/s1_1.wav")
    odd = os.fsencode(root / "anger") + b"/s1_\xff.wav"
    shutil.copy(root / "anger/s1_1.wav", odd)
    corpus = read_corpus(root)
    assert len(corpus.utterances) == 2
    assert [r.reason for r in corpus.rejected] == ["its name is not valid UTF-8"]
    assert str(corpus.rejected[0].path).encode()


def test_the_embedded_corpus_is_found_by_name_and_whole() -> None:
    pytest.importorskip("espeakng_loader")
    corpus = read_corpus("demo")
    assert corpus.spec is CORPORA["demo"] and corpus.root.parent == cache_root()
    assert len(corpus.utterances) == CORPORA["demo"].clips
    assert corpus.warnings == () and corpus.rejected == ()
    assert read_corpus(corpus.root) == corpus


# Folders of one's own


def test_a_folder_per_emotion_gives_emotion_and_speaker(small_corpus: Make) -> None:
    root = small_corpus(speakers=3, emotions=2, sentences=2)
    corpus = read_corpus(root)
    assert corpus.name == root.name
    assert corpus.emotions == ("anger", "disgust")
    assert corpus.speakers == ("1", "2", "3")
    assert len(corpus.utterances) == 12 and not corpus.rejected
    (line,) = corpus.warnings
    assert line.startswith("Speakers are taken from the file names: 1, 2, 3 (1 in ")


def test_other_words_for_emotions_and_folders_around_them_are_understood(tree: Make) -> None:
    corpus = read_corpus(tree("train/Angry/a.wav", "test/angry/day1/b.wav", "test/Sad/c.wav"))
    assert [u.emotion for u in corpus.utterances] == ["sadness", "anger", "anger"]


def test_own_classes_are_kept_and_mentioned(tree: Make) -> None:
    corpus = read_corpus(tree("Bored stiff/s1_1.wav", "keen/s1_2.wav"))
    assert corpus.emotions == ("bored stiff", "keen")
    assert any("classes: bored stiff, keen" in warning for warning in corpus.warnings)


@pytest.mark.parametrize(
    "names",
    [
        ("anger/one.wav", "fear/s1_two.wav"),  # a name without a prefix
        ("anger/anger_1.wav", "fear/fear_1.wav"),  # prefixes that are emotions
        ("anger/001_x.wav", "fear/002_x.wav"),  # prefixes that number the files
        ("anger/_1.wav", "fear/_1.wav"),  # empty prefixes
    ],
)
def test_speakers_are_unknown_where_names_do_not_tell_them(
    tree: Make, names: tuple[str, ...]
) -> None:
    corpus = read_corpus(tree(*names))
    assert corpus.speakers == (UNKNOWN_SPEAKER,)
    assert any("speaker-independent splits are impossible" in w for w in corpus.warnings)


# Manifests


def test_a_manifest_tells_all_there_is_to_know(tree: Make) -> None:
    root = tree("one.wav", "deep/two.wav")
    path = manifest(
        root,
        "\ufefffile;Emotion;speaker;sentence;take;gender;age\n"
        "one.wav;Angry;f1;s1;1;F;30\n"
        "\n"
        "deep/two.wav;odd;ben;s2;;;\n",
    )
    corpus = read_corpus(path)
    two, one = corpus.utterances
    assert (one.emotion, one.speaker, one.sentence, one.take, one.gender) == (
        ("anger", "f1", "s1", "1", "female")
    )
    assert (two.id, two.emotion, two.gender) == ("deep/two.wav", "odd", "")
    assert read_corpus(root).digest == corpus.digest  # found inside a folder too
    assert corpus.name == root.name


def test_a_manifest_may_name_files_outside_its_folder_and_missing_ones(
    tree: Make, tmp_path: Path
) -> None:
    sounds = tree("a.wav", folder="sounds")
    (tmp_path / "lists").mkdir()
    path = manifest(
        tmp_path / "lists",
        f"file,emotion,speaker\n../sounds/a.wav,fear,1\n{sounds}/b.wav,fear,2\n",
    )
    corpus = read_corpus(path)
    assert [u.id for u in corpus.utterances] == ["../sounds/a.wav"]
    assert [r.reason for r in corpus.rejected] == ["no such file."]
    assert corpus.name == "lists"
    assert read_corpus(path.rename(path.with_name("winter.csv"))).name == "winter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,speaker\na.wav,1\n", "no column emotion"),
        ("", "no column file, emotion"),
        ("file,emotion,speaker\n", "lists no files"),
        ("file,emotion,speaker\na.wav,,1\n", "none of its 1 row has an emotion"),
        ("file,emotion,speaker\na.wav,fear\n", r"manifest.csv:2: 2 cells, expected 3"),
        ("file,emotion,speaker\n,fear,1\n", r"manifest.csv:2: names no file"),
        ('file,emotion,speaker\n"a.wav,fear,1\n', "not valid CSV"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where_and_why(
    tree: Make, text: str, message: str
) -> None:
    path = manifest(tree("a.wav"), text)
    with pytest.raises(CorpusError, match=message):
        read_corpus(path)


# Places


def test_a_reader_can_be_forced(tree: Make) -> None:
    root = tree("anger/03a01Wa.wav", "fear/03a01Aa.wav")
    assert read_corpus(f"folders:{root}").speakers == (UNKNOWN_SPEAKER,)
    assert read_corpus(f"emodb:{root}").speakers == ("03",)
    with pytest.raises(CorpusError, match=r"none of its 2 recordings has a known label.*nemo's"):
        read_corpus(f"nemo:{root}")
    with pytest.raises(CorpusError, match=r"no reader 'emobd'; did you mean emodb\?"):
        read_corpus(f"emobd:{root}")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("no/such/folder", "no such folder"),
        (Path("nowhere"), "nowhere: no such folder"),
        ("aesd", r"no corpus of that name; did you mean aesdd\? Known are: aesdd"),
        ("xyzzy", r"no corpus of that name\. Known are: aesdd"),
        ("aesdd", "give its folder, or let EMELIA_CORPORA .* run: emelia corpora fetch aesdd"),
        ("savee", "give its folder, .* To get it, register at http"),
        ("aesdd:nowhere", "no such folder"),
    ],
)
def test_a_place_that_is_not_there_is_told(
    where: str | Path, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=message):
        read_corpus(where)


def test_places_without_usable_recordings_are_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no recordings in this folder.*oga, opus, mp3, m4a"):
        read_corpus(tmp_path)
    with pytest.raises(CorpusError, match="not a manifest, its first row"):
        (tmp_path / "notes.txt").write_text("hello\n")
        read_corpus(tmp_path / "notes.txt")
    (tmp_path / "notes.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CorpusError, match="not a manifest, it is not UTF-8 text"):
        read_corpus(tmp_path / "notes.csv")
    (tmp_path / "notes.csv").unlink()
    with pytest.raises(CorpusError, match=r"one recording; expected a folder.*`emelia process`"):
        read_corpus(write(tmp_path / "flat.wav"))
    with pytest.raises(CorpusError, match=r"its only recording has no known label.*write a mani"):
        read_corpus(tmp_path)
    (tmp_path / "flat.wav").write_bytes(b"")
    (tmp_path / "flat.wav").rename(tmp_path / "03a01Wa.wav")
    with pytest.raises(CorpusError, match="its only recording cannot be used"):
        read_corpus(tmp_path)


# The cache of scans


def scan_files() -> list[Path]:
    return sorted((cache_root() / "scans").glob("*.json"))


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("fresh_cache")
def test_only_new_and_changed_files_are_decoded_again(tree: Make) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav")
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    first = read_corpus(root, progress)
    assert seen == [(1, 2), (2, 2)]
    assert read_corpus(root, progress).utterances == first.utterances
    assert len(seen) == 2
    write(root / "08a02Fb.wav", seed=7)
    write(root / "09a02Fb.wav", seed=8)
    changed = read_corpus(root, progress)
    assert seen[2:] == [(1, 2), (2, 2)]
    assert changed.digest != first.digest
    assert changed.utterances[0] == first.utterances[0]
    assert changed.utterances[1].digest != first.utterances[1].digest


def replaced(path: Path, seed: int) -> None:
    """Put another sound there, in a file of the same size and time of change."""
    before = path.stat()
    write(path, seed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.usefixtures("fresh_cache")
def test_a_file_replaced_by_one_of_its_size_and_time_is_decoded_again(tree: Make) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav")
    first = read_corpus(root)
    replaced(root / "08a02Fb.wav", seed=7)
    second = read_corpus(root)
    assert second.utterances[0] == first.utterances[0]
    assert second.utterances[1].digest == content_digest(*decode(root / "08a02Fb.wav"))


@pytest.mark.usefixtures("fresh_cache")
def test_a_file_replaced_while_it_is_read_and_put_back_is_decoded_again(
    tree: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav")
    path = root / "08a02Fb.wav"

    def late(source: Path, heard: Heard) -> tuple[Wave, int]:
        if source == path:
            replaced(path, seed=7)
        found = decode(source, heard=heard)
        if source == path:
            replaced(path, seed=1)
        return found

    monkeypatch.setattr(scan, "decode", late)
    read_corpus(root)
    monkeypatch.undo()
    assert read_corpus(root).utterances[1].digest == content_digest(*decode(path))


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_remembered_of_a_corpus_is_forgotten_where_a_recording_shows_it_is_wrong(
    tree: Make, tmp_path: Path, elsewhere: bool
) -> None:
    root = tree("anger/1.wav", "fear/1.wav")
    if elsewhere:
        (tmp_path / "list").mkdir()
        rows = (f"{path},{path.parent.name},ann" for path in sorted(root.rglob("*.wav")))
        root = manifest(tmp_path / "list", "\n".join(["file,emotion,speaker", *rows]))
    first = read_corpus(root)
    (file,) = scan_files()
    whole = file.read_text()
    file.write_text(whole.replace(first.utterances[0].digest, "0" * 64))
    wrong = read_corpus(root).utterances[0]
    assert wrong.digest == "0" * 64
    with pytest.raises(AudioError, match=r"1\.wav: has changed since the corpus was read\..*again"):
        scan.decode_again(wrong)
    assert read_corpus(root).utterances == first.utterances


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"made_by": 1}', "null", '{"files": []}', "\xff"]
)
def test_a_damaged_cache_is_made_again(tree: Make, damage: str) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav")
    first = read_corpus(root)
    (file,) = scan_files()
    whole = json.loads(file.read_text())
    file.write_bytes(damage.encode("latin-1"))
    assert read_corpus(root).utterances == first.utterances
    assert json.loads(file.read_text()) == whole
    file.write_text(json.dumps({**whole, "files": {"03a01Wa.wav": ["x"]}}))
    assert read_corpus(root).utterances == first.utterances


@pytest.mark.usefixtures("fresh_cache")
def test_an_interrupted_scan_keeps_what_it_has(tree: Make) -> None:
    root = tree("03a01Wa.wav", "08a02Fb.wav", "09a02Fb.wav")

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_corpus(root, interrupt)
    seen: list[int] = []
    read_corpus(root, lambda done, total: seen.append(total))
    assert seen == [1]


def test_a_cache_that_cannot_be_written_only_costs_time(
    tree: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "file"))
    assert len(read_corpus(tree("03a01Wa.wav")).utterances) == 1


# The real ones


@pytest.mark.parametrize("name", ["ravdess", "nemo"])
def test_the_names_of_large_corpora_are_all_understood(
    corpora: Callable[[str], Path], name: str
) -> None:
    spec = CORPORA[name]  # decoding all of them takes too long for a test
    fields = [spec.parse(path) for path in corpora(name).rglob("*.*")]
    assert None not in fields and len(fields) == spec.clips
    assert len({f.speaker for f in fields if f}) == spec.speakers
    assert Counter(f.emotion for f in fields if f) == spec.emotions


def test_aesdd_is_whole_but_for_its_broken_file(corpora: Callable[[str], Path]) -> None:
    corpus = read_corpus(corpora("aesdd"))
    assert len(corpus.utterances) == 604 and corpus.warnings == ()
    assert {s: sum(u.speaker == s for u in corpus.utterances) for s in corpus.speakers} == (
        {"1": 100, "2": 100, "3": 98, "4": 99, "5": 107, "6": 100}
    )
    assert len({u.sentence for u in corpus.utterances}) == 20
    (broken,) = corpus.rejected
    assert broken.path.name == "s05 (3).wav" and "data" in broken.reason


def test_ravdess_has_its_known_identical_pair(corpora: Callable[[str], Path]) -> None:
    corpus = read_corpus(corpora("ravdess") / "Actor_07")
    pair = "03-01-03-01-02-01-07.ogg = 03-01-03-01-02-02-07.ogg"
    assert f"Identical audio: {pair}." in corpus.warnings
    assert len(corpus.utterances) == 60 and {u.gender for u in corpus.utterances} == {"male"}


def test_emodb_is_whole(corpora: Callable[[str], Path]) -> None:
    corpus = read_corpus(corpora("emodb"))
    assert corpus.counts() == emodb.SPEC.emotions and corpus.counts().total() == 535
    assert corpus.warnings == corpus.rejected == ()


FOUR = ["anger", "happiness", "neutral", "sadness"]


def test_figures_of_the_four_emotions_of_emodb_can_be_measured_again(
    corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    """As docs/results.md says: by name, or as links that another corpus can be joined with."""
    for clip in corpora("emodb").glob("wav/*[FNTW]?.*"):
        (tmp_path / "wav").mkdir(exist_ok=True)
        (tmp_path / "wav" / clip.name).symlink_to(clip.resolve())
    named, linked = read_corpus(corpora("emodb"), emotions=FOUR), read_corpus(tmp_path)
    assert (named.name, linked.name) == ("emodb", "emodb")
    assert named.digest == linked.digest == "0098eae9"  # of the cells in docs/results
    assert linked.warnings == ("339 of 535 clips are here: no boredom, disgust, fear.",)


# Files


def test_a_folder_is_searched_for_all_that_predict_reads(tmp_path: Path) -> None:
    """A class of phone recordings once vanished from a corpus without a word."""
    for seed, name in enumerate(("anger/a.wav", "anger/b.FLAC", "calm/c.opus", "calm/d.oga")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        kind = {".opus": ("OGG", "OPUS"), ".oga": ("OGG", "VORBIS")}
        form, codec = kind.get(path.suffix, (path.suffix[1:].upper(), "PCM_16"))
        with path.open("wb") as file:
            soundfile.write(file, voice(150, 0.5, seed), RATE, format=form, subtype=codec)
    names = [f"{suffix[1:]}{suffix}" for suffix in SUFFIXES if suffix not in (".ts", ".mts")]
    broken = [tmp_path / "calm" / name for name in names]
    for path in broken:
        path.write_bytes(b"no sound")
    corpus = read_corpus(tmp_path)
    assert corpus.counts() == {"anger": 2, "calm": 2}
    assert {rejected.path.name for rejected in corpus.rejected} == {path.name for path in broken}
    assert sorted(recordings(tmp_path)) == sorted(
        [*map(str, broken), *(str(u.path) for u in corpus.utterances)]
    )


# Copies


def doubled(tmp_path: Path, *names: str, below: str = "again") -> Path:
    """A folder that holds each recording twice: at its place, and in a folder once more."""
    for seed, name in enumerate(names):
        copy = tmp_path / "corpus" / below / name
        write(tmp_path / "corpus" / name, seed)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "corpus" / name, copy)
    return tmp_path / "corpus"


@pytest.mark.parametrize(
    "names",
    [
        [f"Actor_0{a}/03-01-04-01-0{s}-0{r}-0{a}.wav" for a in "12" for r in "12" for s in "12"],
        [f"{e}/{s}_{n}.wav" for e in ("angry", "sad") for s in ("ann", "bob") for n in (1, 2)],
        [f"{s}/{e}/{n}.wav" for e in ("angry", "sad") for s in ("spk1", "spk2") for n in (1, 2)],
        [f"{e}/{n}.wav" for e in ("angry", "sad") for n in range(4)],
    ],
)  # fmt: skip
def test_copies_count_once_and_one_line_says_so(tmp_path: Path, names: list[str]) -> None:
    corpus = read_corpus(doubled(tmp_path, *names))
    assert [u.id for u in corpus.utterances] == sorted(names)
    assert {u.id for u in corpus.copies} == {f"again/{name}" for name in names}
    assert not corpus.rejected and not any(w.startswith("Identical") for w in corpus.warnings)
    (line,) = [w for w in corpus.warnings if "copies" in w]
    assert line.startswith("8 recordings are copies of others") and "all in again" in line
    assert f"again/{min(names)} = {min(names)}" in line


def test_a_copy_under_another_name_counts_once(tmp_path: Path) -> None:
    copy = tmp_path / "anger" / "one (copy).wav"
    shutil.copy(write(tmp_path / "anger" / "one.wav"), copy)
    write(tmp_path / "fear" / "two.wav", 1)
    corpus = read_corpus(tmp_path)
    assert len(corpus.utterances) == 2 and len(corpus.copies) == 1
    (line,) = [w for w in corpus.warnings if "copy" in w]
    assert line.startswith("1 recording is a copy of another")


def test_the_same_audio_of_two_speakers_stays_and_is_reported(tmp_path: Path) -> None:
    for name in ("anger/ann_1.wav", "anger/ann_2.wav", "fear/ann_3.wav", "fear/ann_4.wav"):
        write(tmp_path / name, len(name) + int(name[-5]))
        write(tmp_path / name.replace("ann", "bob"), 20 + int(name[-5]))
    shutil.copy(tmp_path / "anger/ann_1.wav", tmp_path / "anger/bob_1.wav")
    corpus = read_corpus(tmp_path)
    assert len(corpus.utterances) == 8 and not corpus.copies
    assert any("1 of them with different speakers" in w for w in corpus.warnings)


def test_copies_of_other_corpora_count_once_and_their_speakers_are_the_same(tmp_path: Path) -> None:
    names = [f"{e}/{s}_{n}.wav" for e in ("angry", "sad") for s in "12" for n in "12"]
    for seed, name in enumerate(names):
        write(tmp_path / "one" / name, seed)
        write(tmp_path / "two" / name.replace("/1_", "/ann_").replace("/2_", "/bob_"), seed)
    for number in range(2):  # what the second has alone
        write(tmp_path / "two" / f"sad/ann_x{number}.wav", 50 + number)
    one, two = tmp_path / "one", tmp_path / "two"
    corpus = read_corpus(f"{one}+{two}")
    assert Counter(u.corpus for u in corpus.utterances) == {"one": 8, "two": 2}
    assert corpus.speakers == ("one/1", "one/2")
    assert [len(part.utterances) for part in corpus.parts] == [8, 2]
    assert any(
        w.startswith("two: 8 of 10 recordings are in those before it") for w in corpus.warnings
    )
    with pytest.raises(CorpusError, match="one: those before it have all of its recordings"):
        read_corpus(f"{two}+{one}")


def test_the_same_audio_under_two_emotions_of_two_corpora_is_reported(tmp_path: Path) -> None:
    for seed, name in enumerate(("angry/1.wav", "sad/2.wav")):
        write(tmp_path / "one" / name, seed)
        write(tmp_path / "two" / name, 10 + seed)
    shutil.copy(tmp_path / "one/angry/1.wav", tmp_path / "two/sad/3.wav")
    corpus = read_corpus(f"{tmp_path / 'one'}+{tmp_path / 'two'}")
    assert len(corpus.utterances) == 5
    assert any("one/angry/1.wav = two/sad/3.wav" in w and "different emotions" in w
               for w in corpus.warnings)  # fmt: skip


# Words of other languages


def test_folders_in_another_language_are_emotions_and_it_is_said(tree: Make) -> None:
    corpus = read_corpus(tree("anna/wütend/1.wav", "anna/traurig/1.wav", "ben/Wut/1.wav"))
    assert corpus.counts() == {"anger": 2, "sadness": 1}
    assert corpus.warnings[0] == "Wut counts as anger, traurig as sadness, wütend as anger."


def test_accents_of_macos_are_those_of_other_systems(tmp_path: Path) -> None:
    names = [f"{e}/{s}_{n}.wav" for e in ("θυμός", "χαρά") for s in ("jörg", "zoë") for n in "12"]
    for seed, name in enumerate(names):
        form = ("NFC", "NFD")[seed % 2]
        write(tmp_path / "corpus" / unicodedata.normalize(form, name), seed)
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.counts() == {"anger": 4, "happiness": 4}
    assert corpus.speakers == ("jörg", "zoë")
