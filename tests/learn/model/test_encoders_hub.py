"""Encoders of the hub, tiny and random: what transformers computes, clip by clip, cut anywhere."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from emelia.config import PRESETS, FeatureConfig, ModelConfig, Recipe
from emelia.errors import ConfigError, MissingExtraError, ModelError
from emelia.learn.data.features import FrontEnd, TraceableFrontEnd
from emelia.learn.model.encoders import catalogue
from emelia.learn.model.encoders.hub import (
    WHISPER_NAMES,
    HubEncoder,
    Source,
    find,
    load_weights,
    new_encoder,
)
from emelia.learn.model.encoders.whisper import WhisperEncoder
from emelia.learn.model.layer_table import architecture
from emelia.learn.model.network import parameters
from emelia.learn.training.runs import new_network

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install 'emelia[transfer]'"
)
pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "conv_dim": [16] * 4, "conv_kernel": [10, 3, 3, 2], "conv_stride": [5, 2, 2, 2],
    "num_feat_extract_layers": 4, "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
GROUP = {"feat_extract_norm": "group"}  # as in base models
LAYER = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}  # large
WAVES: dict[str, dict[str, Any]] = {
    "wav2vec2": {"model_type": "wav2vec2", **SMALL, **GROUP},
    "wav2vec2-layer": {"model_type": "wav2vec2", **SMALL, **LAYER},
    "hubert": {"model_type": "hubert", **SMALL, **GROUP, "feat_proj_layer_norm": False},
    "hubert-layer": {"model_type": "hubert", **SMALL, **LAYER},
    "hubert-batch": {"model_type": "hubert", **SMALL, **LAYER, "conv_pos_batch_norm": True},
    "wavlm": {"model_type": "wavlm", **SMALL, **GROUP},
    "wavlm-layer": {"model_type": "wavlm", **SMALL, **LAYER},
    "data2vec": {"model_type": "data2vec-audio", **SMALL, "num_conv_pos_embeddings": 3,
                 "conv_pos_kernel_size": 7},
}  # fmt: skip
LENGTHS = (3000, 1701, 640)  # samples
FRAMES = (74, 42, 15)  # (((n - 10) // 5 + 1 - 3) // 2 + 1 ...

Saved = Callable[[str], Path]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Save a random model of a name in `WAVES`, or Whisper's, as the hub would; once each."""

    def save(name: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / f"saved-{name}"
        if not folder.exists():
            torch.manual_seed(len(name))
            model = whisper() if name == "whisper" else transformer(name)
            model.save_pretrained(folder)
        return folder

    return save


def transformer(name: str) -> Any:
    values = dict(WAVES[name])
    config = transformers.CONFIG_MAPPING[values["model_type"]].from_dict(values)
    model = transformers.AutoModel.from_config(config)
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.running_mean.normal_()  # as if it had learnt
        norm.running_var.uniform_(0.5, 2)
    return model


def whisper() -> Any:
    config = transformers.WhisperConfig(
        vocab_size=20, num_mel_bins=12, encoder_layers=3, encoder_attention_heads=4,
        decoder_layers=1, decoder_attention_heads=2, encoder_ffn_dim=128, decoder_ffn_dim=32,
        d_model=32, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    return transformers.WhisperForConditionalGeneration(config)


def reference(folder: Path) -> Any:
    return transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()


def clips(lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    """Noise (B, 1, T), zero past each clip's end, and the lengths."""
    noise = torch.randn(len(lengths), 1, max(lengths), generator=torch.Generator().manual_seed(0))
    ends = torch.tensor(lengths)
    return noise * (torch.arange(max(lengths)) < ends[:, None, None]), ends


def load_encoder(name: str, blocks: int) -> HubEncoder:
    source = find(name)
    encoder = new_encoder(source.config, blocks)
    load_weights(encoder, source)
    return encoder


def encoder_of(folder: Path, blocks: int = 0) -> HubEncoder:
    return load_encoder(f"hub:{folder}", blocks).eval()


# Encoders of waveforms


@pytest.mark.parametrize("name", WAVES)
@torch.no_grad()
def test_each_clip_of_a_batch_has_the_hidden_states_transformers_gives_it_alone(
    name: str, saved: Saved
) -> None:
    model, encoder = reference(saved(name)), encoder_of(saved(name))
    x, lengths = clips()
    found, _ = encoder.hidden_states(x, lengths)
    last, frames = encoder(x, lengths)
    assert frames.tolist() == list(FRAMES)
    assert last.shape == (3, 32, FRAMES[0]) == (3, encoder.width, FRAMES[0])
    torch.testing.assert_close(last, found[-1])
    for row, (samples, count) in enumerate(zip(LENGTHS, FRAMES, strict=True)):
        expected = model(x[row, :, :samples], output_hidden_states=True).hidden_states
        assert len(expected) == len(found) == 4
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[row, :, :count].T, theirs[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in WAVES if n.endswith("-layer")])
@torch.no_grad()
def test_the_norm_after_the_last_block_is_all_that_is_left_out(name: str, saved: Saved) -> None:
    model, encoder = reference(saved(name)), encoder_of(saved(name))
    x, lengths = clips((1200,))
    ours = model.encoder.layer_norm(encoder(x, lengths)[0].transpose(1, 2))
    torch.testing.assert_close(ours, model(x[0]).last_hidden_state, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", WAVES)
@torch.no_grad()
def test_a_clip_is_the_same_alone_and_in_a_batch(name: str, saved: Saved) -> None:
    encoder = encoder_of(saved(name))
    x, lengths = clips()
    for row, (samples, count) in enumerate(zip(LENGTHS, FRAMES, strict=True)):
        alone, _ = encoder.hidden_states(x[row : row + 1, :, :samples], lengths[row : row + 1])
        for ours, lone in zip(encoder.hidden_states(x, lengths)[0], alone, strict=True):
            torch.testing.assert_close(ours[row, :, :count], lone[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [*WAVES, "whisper"])
@torch.no_grad()
def test_cut_after_a_block_it_gives_what_the_whole_one_gives_there(name: str, saved: Saved) -> None:
    whole = encoder_of(saved(name))
    x, lengths = clips() if name != "whisper" else (torch.randn(2, 12, 50), torch.tensor([50, 31]))
    found, _ = whole.hidden_states(x, lengths)
    for blocks in (1, 2):
        cut = encoder_of(saved(name), blocks)
        assert len(cut.blocks) == len(cut.layers()) - 1 == blocks
        torch.testing.assert_close(cut(x, lengths)[0], found[blocks])
    del whole.blocks[1:]
    torch.testing.assert_close(whole(x, lengths)[0], found[1])


@pytest.mark.parametrize("name", WAVES)
def test_gradients_reach_the_sound_and_every_weight_and_none_comes_from_padding(
    name: str, saved: Saved
) -> None:
    encoder = encoder_of(saved(name))
    x, lengths = clips()
    x.requires_grad_()
    features, frames = encoder(x, lengths)
    own = torch.arange(features.shape[2]) < frames[:, None, None]
    (features * own).square().sum().backward()
    assert x.grad is not None
    for row, samples in enumerate(LENGTHS):
        assert x.grad[row, 0, : samples - 64].abs().min() > 0
        assert not x.grad[row, 0, samples:].any()
    without = [k for k, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    # What is added to all keys alike changes no attention but by rounding.
    assert [k for k in without if not k.endswith("k_proj.bias")] == []


@pytest.mark.parametrize("name", WAVES)
@torch.no_grad()
def test_the_shortest_clip_gives_one_frame_and_a_stride_more_another(
    name: str, saved: Saved
) -> None:
    encoder = encoder_of(saved(name))
    assert (encoder.stride, encoder.offset, encoder.min_frames) == (40, 0, 60)
    for samples, count in ((60, 1), (99, 1), (100, 2)):
        features, frames = encoder(*clips((samples,)))
        assert features.shape[2] == frames.item() == count


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm-layer"])
def test_in_training_mode_nothing_is_drawn_but_dropout(name: str, saved: Saved) -> None:
    encoder = encoder_of(saved(name)).train()
    for layer in (m for m in encoder.modules() if hasattr(m, "dropout")):
        if isinstance(layer.dropout, float):
            layer.dropout = 0.0
    for layer in (m for m in encoder.modules() if isinstance(m, torch.nn.Dropout)):
        layer.p = 0.0
    torch.testing.assert_close(encoder(*clips())[0], encoder.eval()(*clips())[0])


# Whisper


@torch.no_grad()
def test_whisper_of_the_hub_is_that_of_transformers(saved: Saved) -> None:
    folder = saved("whisper")
    model = transformers.WhisperModel.from_pretrained(folder).encoder.eval()
    x = torch.randn(2, 12, 3000)  # 30 s, the one length that transformers takes
    expected = model(x, output_hidden_states=True)
    found, _ = encoder_of(folder).hidden_states(x, torch.tensor([3000, 3000]))
    assert len(found) == len(expected.hidden_states) == 4
    for ours, theirs in zip(found[:-1], expected.hidden_states[:-1], strict=True):
        torch.testing.assert_close(ours.transpose(1, 2), theirs, rtol=0, atol=1e-4)
    last = model.layer_norm(found[-1].transpose(1, 2))
    torch.testing.assert_close(last, expected.last_hidden_state, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
@torch.no_grad()
def test_whispers_own_weights_give_what_transformers_gives(
    name: str, weights: Callable[[str], Path]
) -> None:
    file = load_file(weights(catalogue.KNOWN[name].file))
    ours = catalogue.new_encoder(name, 0, 80)
    assert isinstance(ours, WhisperEncoder)
    catalogue.load_weights(ours, name)
    config = transformers.WhisperConfig(
        num_mel_bins=80, d_model=ours.width, encoder_layers=len(ours.blocks), decoder_layers=1,
        encoder_attention_heads=ours.width // 64, decoder_attention_heads=1,
        encoder_ffn_dim=4 * ours.width,
    )  # fmt: skip
    theirs = transformers.WhisperModel(config).encoder.eval()
    named = {key: file.get(openais(key)) for key in theirs.state_dict()}
    kept = {key: value.float() for key, value in named.items() if value is not None}
    left = theirs.load_state_dict(kept, strict=False).missing_keys
    assert {key.partition(".")[0] for key in left} <= {"embed_positions", "layer_norm"}
    x = 0.5 * torch.randn(1, 80, 3000)  # as wide as speech in Whisper's scale
    expected = theirs(x, output_hidden_states=True).hidden_states
    found = [level.transpose(1, 2) for level in ours.hidden_states(x, torch.tensor([3000]))[0]]
    found[-1] = theirs.layer_norm(found[-1])
    for mine, hers in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, hers, rtol=1e-4, atol=1e-4)


def openais(key: str) -> str:
    """The name that OpenAI gives a parameter of transformers' encoder."""
    key = f"encoder.{key}"
    for theirs, ours in WHISPER_NAMES.items():
        key = key.replace(theirs, ours)
    return key


def test_whisper_needs_no_transformers(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved("whisper")
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert len(encoder_of(folder).blocks) == 3


def test_without_transformers_an_encoder_of_waveforms_names_the_extra(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved("wavlm")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[transfer\]'"):
        encoder_of(folder)


def test_without_the_client_of_the_hub_its_encoders_name_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[transfer\]'"):
        find("hub:acme/tiny")


# Files and names


def test_weight_norm_of_older_files_is_understood(saved: Saved, tmp_path: Path) -> None:
    weights = load_file(saved("hubert") / "model.safetensors")
    old = {
        "hubert." + k.replace("parametrizations.weight.original0", "weight_g")
        .replace("parametrizations.weight.original1", "weight_v"): v
        for k, v in weights.items()
    }  # fmt: skip
    assert any(k.endswith("weight_g") for k in old)
    save_file(old, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((saved("hubert") / "config.json").read_bytes())
    ours, theirs = encoder_of(tmp_path).state_dict(), encoder_of(saved("hubert")).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_source_knows_the_digest_and_the_front_end(saved: Saved, tmp_path: Path) -> None:
    source = find(str(saved("wavlm")))
    data = (source.folder / "model.safetensors").read_bytes()
    assert (source.commit, source.digest) == ("", hashlib.sha256(data).hexdigest())
    assert source.features == FeatureConfig(kind="wave", hop=1)
    assert find(str(saved("whisper"))).features == replace(PRESETS["whisper"], mels=12)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((source.folder / name).read_bytes())
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    assert find(str(tmp_path)).features == FeatureConfig(kind="wave", hop=1, standardise="none")


def test_a_name_is_looked_for_below_the_folder_of_weights(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "tiny").symlink_to(saved("wavlm"))
    monkeypatch.setenv("EMELIA_WEIGHTS", str(tmp_path))
    assert find("hub:somebody/tiny") == Source("somebody/tiny", tmp_path / "somebody" / "tiny")


def test_a_folder_of_ones_own_may_be_called_otherwise(saved: Saved, tmp_path: Path) -> None:
    def made(folder: Path) -> Recipe:
        model = ModelConfig("encoder", encoder=f"hub:{folder}")
        features = find(str(folder)).features
        return catalogue.ready(Recipe("r", features=features, model=model), True)

    (tmp_path / "moved").symlink_to(saved("wavlm"))
    here, moved, other = made(saved("wavlm")), made(tmp_path / "moved"), made(saved("hubert"))
    assert here.model.encoder != moved.model.encoder
    assert here.digest == moved.digest, "the same weights, the same experiment"
    assert here.digest != other.digest
    kept = replace(here, model=replace(here.model, encoder="hub:acme/tiny@0123"))
    assert kept.digest != replace(kept, model=replace(kept.model, encoder="hub:a/b@0")).digest


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"model_type": "bert"}, ConfigError, "'bert'; expected one of wav2vec2, hubert, wavlm"),
        ({}, ConfigError, "None; expected one of"),
        ({"model_type": "whisper"}, ModelError, "cannot be as it says .KeyError: 'num_mel_bins'"),
        ({**WAVES["wavlm"], "hidden_size": 30}, ModelError, "cannot be as it says"),
        ({**WAVES["wavlm"], "hidden_size": "wide"}, ModelError, "cannot be as it says"),
    ],
)
def test_a_description_that_fits_no_encoder_is_refused(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        new_encoder(values, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("blocks", [-1, 4])
def test_blocks_it_does_not_have_are_refused(blocks: int, saved: Saved) -> None:
    with pytest.raises(ConfigError, match=f"this encoder has 1 to 3, got {blocks}"):
        load_encoder(str(saved("wavlm")), blocks)


@pytest.mark.parametrize("name", ["hub:", "tiny", "a/b/c", "no such/folder", "./nowhere", "acme/-"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor OWNER/NAME"):
        find(name)


def test_a_folder_with_weights_of_another_kind_is_refused(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((saved("wavlm") / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"has no model.safetensors; expected config.json"):
        find(str(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "other", "shape", "settings", "list"])
def test_damaged_files_are_refused(damage: str, saved: Saved, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((saved("wavlm") / name).read_bytes())
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "other":
        weights.write_bytes((saved("whisper") / "model.safetensors").read_bytes())
    elif damage == "shape":
        config.write_text(json.dumps({**json.loads(config.read_text()), "intermediate_size": 64}))
    else:
        config.write_text("{" if damage == "settings" else "[1]")
    with pytest.raises(ModelError, match=r"cannot be read|not the weights of what its config"):
        encoder_of(tmp_path)


# The hub itself, by a server of our own

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The few answers of the hub that a download needs; `files` are those of acme/tiny."""

    def __init__(self, files: dict[str, bytes], asked: list[str], *args: Any) -> None:
        self.files, self.asked = files, asked
        super().__init__(*args)

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        self.asked.append(f"{self.command} {self.path}")
        data, error = self.find(self.path.removeprefix("/").removeprefix("api/models/"))
        self.send_response(404 if error else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", hashlib.sha256(data).hexdigest())
        self.send_header("Content-Length", str(len(data)))
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        return data

    def find(self, path: str) -> tuple[bytes, str]:
        owner, name, _, revision, *file = path.split("/")  # .../resolve/main/config.json
        if f"{owner}/{name}" != "acme/tiny":
            return b"", "RepoNotFound"
        if revision not in ("main", COMMIT):
            return b"", "RevisionNotFound"
        if file:
            return self.files[file[0]], ""
        siblings = [{"rfilename": name} for name in self.files]
        return json.dumps({"id": "acme/tiny", "sha": COMMIT, "siblings": siblings}).encode(), ""


@pytest.fixture
def hub(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """A hub with one model, acme/tiny: its files, and what was asked of it."""
    from huggingface_hub import constants, hf_api

    names = ("config.json", "model.safetensors")
    files = {name: (saved("wavlm") / name).read_bytes() for name in names}
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, files, asked))
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hf_api.api, "endpoint", url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    yield files, asked
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_once_and_its_commit_is_known(
    hub: tuple[dict[str, bytes], list[str]], saved: Saved
) -> None:
    files, asked = hub
    source = find("hub:acme/tiny")
    assert (source.name, source.commit) == ("acme/tiny", COMMIT)
    assert source.digest == hashlib.sha256(files["model.safetensors"]).hexdigest()
    ours, theirs = load_encoder("acme/tiny", 0).state_dict(), encoder_of(saved("wavlm"))
    assert all(torch.equal(ours[key], value) for key, value in theirs.state_dict().items())
    before = list(asked)
    assert find(f"acme/tiny@{COMMIT}").folder == find("acme/tiny@main").folder == source.folder
    assert asked == before


def test_the_file_that_tells_of_the_sound_comes_along(
    hub: tuple[dict[str, bytes], list[str]],
) -> None:
    hub[0]["preprocessor_config.json"] = b'{"do_normalize": false}'
    hub[0]["pytorch_model.bin"] = b"a pickle"
    source = find("hub:acme/tiny")
    assert source.features.standardise == "none"
    assert "pytorch_model.bin" not in {path.name for path in source.folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme/other", "hub:acme/other@main: the hub has no such model"),
        ("acme/tiny@v9", "hub:acme/tiny@v9: the hub has no such revision"),
        ("acme/tiny", "hub:acme/tiny@main: it has no model.safetensors, and pickles are not read"),
        ("acme/a..b", "hub:acme/a..b@main: HFValidationError: "),
    ],
)
def test_what_the_hub_does_not_have_is_said_in_one_line(
    name: str, message: str, hub: tuple[dict[str, bytes], list[str]]
) -> None:
    hub[0]["pytorch_model.bin"] = hub[0].pop("model.safetensors")
    with pytest.raises(ModelError, match=message) as caught:
        find(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("offline", [True, False], ids=["by choice", "by fate"])
def test_offline_the_line_tells_how_to_get_the_model(
    offline: bool, hub: tuple[dict[str, bytes], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, hf_api

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(hf_api.api, "endpoint", "http://127.0.0.1:1")
    reason = "HF_HUB_OFFLINE is set" if offline else "ConnectError: "
    with pytest.raises(ModelError, match=f"hub:acme/tiny@main: {reason}") as caught:
        find("hub:acme/tiny")
    assert "run: hf download acme/tiny --revision main --include" in str(caught.value)
    assert "below EMELIA_WEIGHTS in acme/tiny" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hub[1] == []


# The front end of waveforms

WAVE = FeatureConfig(kind="wave", hop=1)
Array = NDArray[np.float32]


@pytest.mark.parametrize("front_end", [FrontEnd, TraceableFrontEnd])
def test_waveforms_are_standardised_as_transformers_does(
    front_end: type[FrontEnd], wave: Array
) -> None:
    sounds = [0.1 * wave + 0.02, wave[:9000], np.zeros(100, np.float32), np.ones(1, np.float32)]
    batch = torch.full((4, len(wave)), 9.0)  # what lies past a clip's end is not seen
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    samples = torch.tensor([len(s) for s in sounds])
    x, lengths, silence = front_end(WAVE)(batch, samples)
    assert x.shape == (4, 1, len(wave))
    assert lengths.tolist() == samples.tolist()
    assert silence.tolist() == [[0.0]] * 4
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    for row, sound in zip(x, sounds, strict=True):
        expected = extractor(sound, sampling_rate=16_000)["input_values"][0]
        np.testing.assert_allclose(row[0, : len(sound)], expected, rtol=0, atol=1e-4)
        assert not row[0, len(sound) :].any()


def test_waveforms_that_are_not_standardised_are_left_as_they_are(wave: Array) -> None:
    front_end = FrontEnd(replace(WAVE, standardise="none"))
    x, _, _ = front_end(torch.from_numpy(wave)[None], torch.tensor([len(wave) - 5]))
    assert front_end.bands == 1
    np.testing.assert_array_equal(x[0, 0, :-5], wave[:-5])
    assert not x[0, 0, -5:].any()


@pytest.mark.parametrize("name", [*WAVES, "whisper"])
def test_the_layers_of_any_encoder_are_recorded(name: str, saved: Saved) -> None:
    source = Source(name, saved(name))
    model = ModelConfig("encoder", encoder=str(saved(name)), architecture=json.dumps(source.config))
    model = replace(model, encoder=f"hub:{model.encoder}", blocks=2)
    recipe = Recipe(features=source.features, model=model)
    network = new_network(recipe, 3)
    found = architecture(network, recipe)
    assert found.parameters == parameters(network)
    assert sum("attention to the whole clip" in layer.name for layer in found.layers) == 2
    assert found.sees is None and found.layers[-1].shape == (3,)
    assert [layer.shape[0] for layer in found.layers[-4:-2]] == [32, 32], "features, not frames"
