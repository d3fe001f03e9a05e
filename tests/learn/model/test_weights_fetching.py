"""Weights of encoders come from the hub, checked, and are used like those that were here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from tiny_encoder import BANDS, BLOCKS, NAME, WIDTH

from emelia.errors import ModelError
from emelia.learn.model.encoders import catalogue, load_weights, new_encoder, weights_file
from emelia.learn.model.encoders.catalogue import contents_digest
from emelia.learn.model.encoders.fetching import fetch_weights
from emelia.learn.model.encoders.hub import WHISPER_NAMES


def theirs(name: str) -> str:
    """The hub's name of a parameter."""
    for hub, ours in reversed(WHISPER_NAMES.items()):
        name = name.replace(ours, hub)
    return f"model.{name}"


@pytest.fixture
def hub(small_encoders: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A stand-in for the hub with the whole model of `tiny`, which is not on the disk."""
    file = weights_file(NAME)
    weights = load(file.read_bytes())
    known = replace(catalogue.KNOWN[NAME], hub="openai/tiny", contents=contents_digest(weights))
    monkeypatch.setitem(catalogue.KNOWN, NAME, known)
    monkeypatch.setenv("EMELIA_WEIGHTS", str(tmp_path / "fetched"))
    whole = {theirs(key): value.float() for key, value in weights.items()}
    body = save({**whole, "model.decoder.embed_tokens.weight": torch.zeros(3, WIDTH)})
    told = {"rfilename": "model.safetensors", "size": len(body)}
    listing = {"sha": "c0ffee", "siblings": [{**told, "lfs": {"sha256": sha256(body).hexdigest()}}]}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            api = self.path.startswith("/api/models/openai/tiny/revision/main")
            data = json.dumps(listing).encode() if api else body
            self.send_response(200 if api or "/resolve/c0ffee/" in self.path else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetched_weights_are_those_that_are_known(hub: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"emelia weights fetch {NAME}"):
        weights_file(NAME)
    heard: list[tuple[int, int]] = []
    file = fetch_weights(NAME, lambda *told: heard.append(told), hub)
    assert file == weights_file(NAME) and [f.name for f in file.parent.iterdir()] == [file.name]
    assert heard[-1][0] == heard[-1][1] > 0
    encoder = new_encoder(NAME, BLOCKS, BANDS)
    load_weights(encoder, NAME)
    assert fetch_weights(NAME, host="http://nowhere.invalid") == file


def test_other_weights_are_refused_and_not_kept(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(catalogue.KNOWN[NAME], contents="0" * 64)
    monkeypatch.setitem(catalogue.KNOWN, NAME, known)
    with pytest.raises(ModelError, match="has other weights than those that are known"):
        fetch_weights(NAME, host=hub)
    assert not list((tmp_path / "fetched").iterdir())
