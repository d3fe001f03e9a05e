"""A server gets used to the sources that clients name: each to its own, bounded, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from toy_model import ADAPTATION, CARD, write_adaptable, write_toy
from vowels import vowels

from emelia import load
from emelia.errors import ModelError
from emelia.use.adaptation import named
from emelia.use.adaptation.named import NamedSources
from emelia.use.adaptation.profile import write_profile

pytest.importorskip("fastapi")
from test_server import encoded, refused, served, session, upload

from emelia.use.server import ServerSettings, create_app

RATE = 16_000
ADAPTABLE = replace(CARD, adaptation=ADAPTATION)
CLIPS = [encoded(vowels(1.5, 100 + 15 * number) * 0.9) for number in range(5)]


def test_sources_are_bounded_in_number_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(named.time, "monotonic", lambda: now[0])
    sources = NamedSources(most=2, seconds=10)
    first = sources.get("client", "a", ADAPTABLE)
    assert sources.get("client", "a", ADAPTABLE) is first
    assert sources.get("other", "a", ADAPTABLE) is not first
    sources.get("client", "a", ADAPTABLE)
    sources.get("client", "b", ADAPTABLE)  # the other client's was asked for longest ago
    assert len(sources) == 2 and sources.get("client", "a", ADAPTABLE) is first
    now[0] = 11
    assert sources.get("client", "a", ADAPTABLE) is not first and len(sources) == 1
    with pytest.raises(ModelError, match="cannot be adapted"):
        sources.get("client", "a", CARD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that can be adapted, one that cannot, and the file of a source."""
    folder = tmp_path_factory.mktemp("models")
    toy = load(write_adaptable(folder / "toy.onnx"))
    write_toy(folder / "plain.onnx", name="plain")
    adapted = toy.adapt([(vowels(2, 90 + 9 * n), RATE) for n in range(4)])
    assert adapted.source
    write_profile(folder / "office.json", adapted.source)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    models = (str(folder / "toy.onnx"), str(folder / "plain.onnx"))
    with served(models=models) as client:
        yield client


def test_a_named_source_is_learnt_from_upload_to_upload(client: httpx.Client) -> None:
    counts = [upload(client, clip, source="office").json().get("adapted") for clip in CLIPS]
    assert counts == [None, None, 3, 4, 5]
    again = upload(client, CLIPS[0], source="office").json()
    assert again["adapted"] == 5, "the same recording tells nothing new"
    plain = upload(client, CLIPS[0]).json()
    assert "adapted" not in plain and plain["probabilities"] != again["probabilities"]
    assert "adapted" not in upload(client, CLIPS[0], source="home").json()


def test_timelines_and_live_sound_go_on_with_a_source(client: httpx.Client) -> None:
    data = encoded(np.concatenate([vowels(10), vowels(5, 170)]))
    lines = upload(client, data, "/v1/timeline", source="talk").text.splitlines()
    told = json.loads(lines[-1])
    assert told["type"] == "timeline" and told["adapted"] >= 3
    with session(client, source="talk") as socket:
        socket.send(vowels(4).astype("<f4").tobytes())
        socket.send("end")
        events = [json.loads(text) for text in socket]
    assert events[-1]["type"] == "end" and events[-1]["adapted"] > told["adapted"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"source": "a b"}, "expected 1 to 64 letters"),
        ({"source": "x" * 65}, "expected 1 to 64 letters"),
        ({"source": "office", "model": "plain"}, "cannot be adapted"),
        ({"source": "office", "channel": "each"}, "several sources"),
    ],
)
def test_what_cannot_be_got_used_to_is_refused(
    client: httpx.Client, query: dict[str, Any], words: str
) -> None:
    refused(upload(client, CLIPS[0], **query), 422, words)


def test_models_tell_whether_they_can_be_adapted(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()["models"]
    assert {m["name"]: m["adaptable"] for m in models} == {"toy": True, "plain": False}


def test_a_server_can_begin_with_a_source(folder: Path) -> None:
    source = str(folder / "office.json")
    with served(models=(str(folder / "toy.onnx"),), source=source) as client:
        assert upload(client, CLIPS[0]).json()["adapted"] == 4
        assert upload(client, CLIPS[0], source="mine").json()["adapted"] == 5
        assert upload(client, CLIPS[1]).json()["adapted"] == 4
    with pytest.raises(ModelError, match="cannot be adapted"):
        create_app(ServerSettings(models=(str(folder / "plain.onnx"),), source=source))
