"""`emelia demo` writes a clip that the other commands can use."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from emelia import load
from emelia.cli import app
from emelia.emotions import EMOTIONS
from emelia.errors import ConfigError


def test_the_clip_is_synthetic_speech_that_can_be_answered(tmp_path: Path) -> None:
    clip = tmp_path / "new" / "clip.wav"
    done = CliRunner().invoke(app, ["demo", str(clip)])
    assert done.exit_code == 0 and "synthetic" in done.output
    assert soundfile.info(clip).samplerate == 16_000
    assert load("default").predict(clip).emotion in EMOTIONS


def test_the_clip_is_one_of_the_embedded_corpus(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the corpus needs the extra `demo`")
    from emelia.corpora import read_corpus
    from emelia.use.bundled import SAMPLE_CLIP

    (same,) = (u for u in read_corpus("demo").utterances if u.id.endswith("fear/f1_en1_1.wav"))
    ours, theirs = (soundfile.read(path, dtype="int16")[0] for path in (SAMPLE_CLIP, same.path))
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("name", ["clip.mp3", "there.wav"])
def test_no_other_kind_is_written_and_nothing_is_lost(name: str, tmp_path: Path) -> None:
    (tmp_path / "there.wav").write_bytes(b"mine")
    done = CliRunner().invoke(app, ["demo", str(tmp_path / name)])
    assert isinstance(done.exception, ConfigError)
    assert (tmp_path / "there.wav").read_bytes() == b"mine"
