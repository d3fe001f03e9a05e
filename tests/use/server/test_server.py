"""The server answers what it should, refuses the rest in one sentence, and lives on."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia.cli import main
from emelia.errors import (
    ConfigError,
    EmeliaError,
    MissingExtraError,
    ModelError,
)
from emelia.use.recognizer import load
from emelia.use.timeline.live import Live
from emelia.use.timeline.timeline import timeline

pytest.importorskip("fastapi")
from conftest import RATE
from memory import STATUS, peak_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from emelia.use.server import ServerSettings, create_app, serve
from emelia.use.server.network import protocols

Wave = NDArray[np.float32]
SECONDS = 3.0
FORM = {"content-type": "multipart/form-data; boundary=x"}


@cache
def speech() -> Wave:
    """Three seconds of synthetic speech, float32 (T,) at 16 kHz; a buzz alone is none."""
    pytest.importorskip("espeakng_loader")
    code = (
        "import sys; from itertools import islice\n"
        "from emelia.corpora.known.demo_synthesis import *\n"
        "espeak = Espeak()\n"
        "for clip in islice(clips(), 3):\n"
        "    words = render(espeak.say(clip), espeak.rate, clip)\n"
        "    sys.stdout.buffer.write(words.astype('<f4').tobytes())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    wave = np.frombuffer(run.stdout, "<f4")
    assert len(wave) > SECONDS * RATE
    return wave[: round(SECONDS * RATE)].astype(np.float32)


def encoded(wave: np.ndarray, rate: int = RATE, kind: str = "WAV", codec: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=codec)
    return file.getvalue()


@contextmanager
def served(**settings: Any) -> Iterator[httpx.Client]:
    """A server in a thread, on a port of its own, and a client of it."""
    with started(**settings) as (client, _):
        yield client


@contextmanager
def started(**settings: Any) -> Iterator[tuple[httpx.Client, Callable[[], object]]]:
    """As `served`, with what tells the server to stop."""
    chosen = ServerSettings(**({"models": ("aesdd",), "port": 0} | settings))
    app = create_app(chosen)
    ready: Queue[tuple[str, asyncio.AbstractEventLoop]] = Queue()
    thread = threading.Thread(
        target=serve,
        args=(app, chosen, lambda url: ready.put((url, asyncio.get_running_loop()))),
    )
    thread.start()
    url, loop = ready.get(timeout=30)

    def stop() -> None:
        with suppress(RuntimeError):  # its loop is closed: it has stopped already
            loop.call_soon_threadsafe(app.state.service.stop)

    try:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield client, stop
    finally:
        stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with served(max_mb=2) as client:
        yield client


def upload(client: httpx.Client, data: bytes, route: str = "/v1/predict", **query: Any) -> Any:
    return client.post(route, params=query, files={"file": ("secret-name.wav", data)})


def refused(answer: httpx.Response, status: int, text: str = "") -> None:
    """The status, and the body that every refusal has."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "status"} and body["status"] == status
    assert re.search(text, body["error"]), body["error"]
    assert "\n" not in body["error"] and body["error"].endswith((".", "`"))


# Answers


def test_an_upload_gets_the_answer_of_the_recognizer(client: httpx.Client) -> None:
    data = encoded(speech())
    found = upload(client, data).json()
    want = load("aesdd").predict(data).to_dict()
    assert found.pop("model") == "aesdd" and set(found) == set(want)
    assert found["emotion"] == want["emotion"] and found["seconds"] == 3.0
    assert found["probabilities"] == pytest.approx(want["probabilities"], abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "kind", "codec"),
    [(44_100, "WAV", "FLOAT"), (48_000, "OGG", "OPUS"), (22_050, "FLAC", "PCM_24"),
     (48_000, "MP3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_other_formats_and_rates_give_nearly_the_same_answer(
    client: httpx.Client, rate: int, kind: str, codec: str
) -> None:
    time = np.arange(len(speech()) * rate // RATE) / rate
    wave = np.interp(time, np.arange(len(speech())) / RATE, speech())
    found = upload(client, encoded(wave, rate, kind, codec)).json()
    assert found["seconds"] == pytest.approx(3.0, abs=0.1)
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_a_browser_s_recording_is_read(client: httpx.Client) -> None:
    pytest.importorskip("av")
    from media_files import media_file

    for container, codec in [("webm", "opus"), ("mp4", "aac")]:
        found = upload(client, media_file(speech(), container, codec, rate=RATE)).json()
        assert found["seconds"] == pytest.approx(3.0, abs=0.1) and found["probabilities"]


def test_an_explanation_has_all_that_a_page_draws(client: httpx.Client) -> None:
    found = upload(client, encoded(speech(), codec="FLOAT"), explain="true").json()
    want = load("aesdd").predict(speech(), RATE)
    mel = found["logmel"]
    grey = np.frombuffer(base64.b64decode(mel["data"]), np.uint8)
    heard = mel["low"] + grey.reshape(mel["bands"], mel["frames"]) / 255 * (
        mel["high"] - mel["low"]
    )
    np.testing.assert_allclose(heard, want.logmel, atol=(mel["high"] - mel["low"]) / 200)
    np.testing.assert_allclose(found["saliency"], want.saliency, atol=1e-3)
    assert found["hop"] == want.hop
    drawn = found["waveform"]
    assert len(drawn["low"]) == len(drawn["high"]) <= 2000 and drawn["seconds"] == 3.0
    assert max(drawn["high"]) == pytest.approx(speech().max(), abs=1e-3)
    assert min(drawn["low"]) == pytest.approx(speech().min(), abs=1e-3)


def test_emotions_and_the_threshold_can_be_chosen(client: httpx.Client) -> None:
    found = upload(client, encoded(speech()), emotions="anger, sadness", threshold=1).json()
    assert set(found["probabilities"]) == {"anger", "sadness"} and found["unsure"]
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_silence_is_an_answer(client: httpx.Client) -> None:
    for wave in (np.zeros(RATE), np.zeros(1)):
        found = upload(client, encoded(wave), explain="true").json()
        assert found["emotion"] == "no speech" and found["probabilities"] == {}
        assert found["logmel"]["frames"] == 0 and found["saliency"] == []


def test_models_are_told_with_licence_and_limits(client: httpx.Client) -> None:
    found = client.get("/v1/models").json()
    (model,) = found["models"]
    assert model["name"] == "aesdd" and len(model["emotions"]) == 5 and model["licence"]
    assert found["limits"]["max_mb"] == 2 and found["limits"]["max_clip_seconds"] == 300


# The course of a long recording


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def long_speech(seconds: float) -> Wave:
    """Speech with five seconds of silence after each three."""
    turn = np.concatenate([speech(), np.zeros(5 * RATE, np.float32)])
    return np.tile(turn, 1 + int(seconds * RATE) // len(turn))[: round(seconds * RATE)]


def test_a_timeline_comes_line_by_line_and_is_that_of_the_recognizer(
    client: httpx.Client,
) -> None:
    data = encoded(long_speech(40))
    *events, last = lines(upload(client, data, "/v1/timeline", window=2, hop=0.5))
    want = timeline(load("aesdd"), data, window=2, hop=0.5).to_dict()
    assert {event["type"] for event in events} == {"progress", "window"}
    done = [event["done"] for event in events if event["type"] == "progress"]
    assert done == sorted(done) and len(done) >= 8 and done[-1] == 40
    assert max(np.diff(done, prepend=0)) <= 1  # s: who has left is noticed soon
    assert all(event["total"] >= event["done"] for event in events if event["type"] == "progress")
    told = [{k: v for k, v in e.items() if k != "type"} for e in events if e["type"] == "window"]
    assert last["type"] == "timeline" and last["windows"] == told
    assert len(last["waveform"]["low"]) <= 2000 and last["waveform"]["seconds"] == 40
    for key in ("seconds", "speech", "model", "emotions"):
        assert last[key] == want[key]
    assert len(last["segments"]) == len(want["segments"]) >= 5
    for got, expected in zip(last["windows"], want["windows"], strict=True):
        assert (got["start"], got["end"]) == (expected["start"], expected["end"])
        assert got["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)


def test_a_timeline_may_be_longer_than_an_answer_to_one_clip(client: httpx.Client) -> None:
    found = lines(upload(client, encoded(np.zeros(400_000), 1000), "/v1/timeline"))[-1]
    assert found["seconds"] == 400 and found["windows"] == found["segments"] == []


def test_a_timeline_that_cannot_begin_has_a_status_of_its_own(client: httpx.Client) -> None:
    refused(upload(client, b"notes", "/v1/timeline"), 415, "not a known format")
    refused(upload(client, b"notes", "/v1/timeline", window=2, hop=3), 422, "leaves gaps")
    refused(upload(client, b"notes", "/v1/timeline", window=99), 422, "window: '99'")
    refused(upload(client, bytes(3_000_000), "/v1/timeline"), 413)


def test_damage_half_way_is_the_last_line_of_a_timeline() -> None:
    wave = np.tile(speech(), 40)  # longer than what is heard as a whole
    wave[-9] = np.nan
    with served() as client:
        *events, last = lines(upload(client, encoded(wave, codec="FLOAT"), "/v1/timeline"))
    assert events and {event["type"] for event in events} == {"progress", "window"}
    assert last["type"] == "error" and last["status"] == 422 and "not numbers" in last["error"]


def test_a_client_that_leaves_a_timeline_frees_its_place() -> None:
    with served(models=("free",), max_jobs=1, queue=0) as client:
        form = {"file": ("a", encoded(np.tile(speech(), 200)))}
        with client.stream("POST", "/v1/timeline?hop=0.1", files=form) as answer:
            coming = answer.iter_lines()
            assert next(coming)
            refused(upload(client, b"notes"), 429)
        wait_for(client, "emelia_jobs_running 0.0", seconds=3)
        assert upload(client, encoded(speech())).status_code == 200


# Live sound


@contextmanager
def session(client: httpx.Client, **query: Any) -> Iterator[ClientConnection]:
    url = client.base_url.copy_with(scheme="ws", path="/v1/live")
    asked = httpx.URL(url, params={"rate": RATE} | query)
    with connect(str(asked), open_timeout=20, close_timeout=5, proxy=None) as socket:
        yield socket


def events(socket: ClientConnection) -> list[dict[str, Any]]:
    """All that comes until the connection closes."""
    found = []
    try:
        while True:
            found.append(json.loads(socket.recv(timeout=20)))
    except ConnectionClosed:
        return found


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_live_sound_gives_windows_and_segments_as_it_comes(client: httpx.Client, rate: int) -> None:
    wave = long_speech(12)
    sound = np.interp(np.arange(12 * rate) / rate, np.arange(len(wave)) / RATE, wave)
    with session(client, rate=rate, emotions="anger,fear,sadness") as socket:
        for piece in np.array_split(sound.astype("<f4"), 60):
            socket.send(piece.tobytes())
        first = json.loads(socket.recv(timeout=20))
        assert first["type"] == "window" and first["speech"] is True and first["end"] <= 4
        socket.send("end")
        found = [first, *events(socket)]
        assert socket.close_code == 1000
    assert found[-1] == {"type": "end"}
    assert {event["type"] for event in found} == {"window", "segment", "end"}
    segments = [event for event in found if event["type"] == "segment"]
    assert len(segments) >= 2
    for segment in segments:
        assert set(segment["probabilities"]) == {"anger", "fear", "sadness"}
        assert segment["confidence"] == max(segment["probabilities"].values())


def test_live_results_are_those_of_the_recognizer_however_sound_is_cut(
    client: httpx.Client,
) -> None:
    wave = long_speech(8)
    live = Live(load("aesdd"))
    want = [event.to_dict() for event in [*live.feed(wave), *live.flush()]]
    with session(client) as socket:
        for piece in np.array_split(wave.astype("<f4"), 33):
            socket.send(piece.tobytes())
        socket.send("end")
        *got, end = events(socket)
    assert end == {"type": "end"} and len(got) == len(want) >= 2
    for one, other in zip(got, want, strict=True):
        assert (one["start"], one["end"]) == (other["start"], other["end"])
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-4)


@pytest.mark.parametrize(
    ("query", "sent", "code", "text"),
    [
        ({"rate": ""}, None, 4422, r"expected \?rate= of 8000 to 192000 Hz"),
        ({"rate": 4000}, None, 4422, "rate '4000'"),
        ({"rate": 10**9}, None, 4422, "rate"),
        ({"rate": "1e4"}, None, 4422, "rate"),
        ({"model": "nobody"}, None, 4404, "not served here"),
        ({"emotions": "boredom"}, None, 4422, "boredom"),
        ({}, b"abc", 4422, "3 bytes; expected float32"),
        ({}, np.array([np.nan], "<f4").tobytes(), 4422, "not numbers"),
        ({}, bytes(2**20 + 4), 1009, "a message of 1048580 bytes; at most"),
        ({}, "stop", 4422, "text 'stop'; expected binary samples, or end"),
    ],
)
def test_live_sound_that_cannot_be_used_is_refused(
    client: httpx.Client, query: dict[str, Any], sent: bytes | str | None, code: int, text: str
) -> None:
    with session(client, **query) as socket:
        if sent is not None:
            socket.send(sent)
        (told,) = events(socket)
        assert socket.close_code == code
    assert told["type"] == "error" and re.search(text, told["error"])


def test_live_sessions_have_limits() -> None:
    with served(max_live=1, live_idle=0.5, live_seconds=2) as client:
        with session(client) as first:
            first.send(bytes(4 * RATE))
            wait_for(client, "emelia_live_sessions 1.0")
            with session(client) as second:
                assert "1 live sessions are open" in events(second)[0]["error"]
                assert second.close_code == 4429
            assert "no sound for 0.5 s" in events(first)[-1]["error"]
            assert first.close_code == 4408
        with session(client) as third:
            for _ in range(3):
                third.send(bytes(4 * RATE))
            assert "longer than 2 s" in events(third)[-1]["error"]
            assert third.close_code == 4413
        wait_for(client, "emelia_live_sessions 0.0")
        wait_for(client, 'emelia_requests_total{route="/v1/live",status="4429"} 1.0')


def test_messages_without_sound_do_not_hold_a_live_place() -> None:
    with served(max_live=1, live_idle=1.0) as client, session(client) as socket:
        begun = time.monotonic()
        with pytest.raises(ConnectionClosed):
            while time.monotonic() - begun < 20:
                socket.send(b"")
                time.sleep(0.2)
        assert socket.close_code == 4408 and time.monotonic() - begun < 10


def test_live_sound_wants_the_token_too() -> None:
    with served(token="open-sesame") as client:
        for given in ({}, {"token": "other"}):
            with session(client, **given) as socket:
                assert "expected ?token=TOKEN" in events(socket)[0]["error"]
                assert socket.close_code == 4401
        with session(client, token="open-sesame") as socket:
            socket.send("end")
            assert events(socket) == [{"type": "end"}]


def test_the_page_of_another_site_may_not_listen_in(client: httpx.Client) -> None:
    here = client.base_url
    for host, origin in (
        ("127.0.0.1", "http://evil.example"), ("127.0.0.1", "http://["), ("evil.example", None),
    ):  # fmt: skip
        url = f"ws://{host}:{here.port}/v1/live?rate=16000"
        with (
            socket.create_connection((here.host, here.port or 80)) as line,
            pytest.raises(InvalidStatus, match="403"),
        ):
            connect(url, origin=origin, sock=line, proxy=None)  # type: ignore[arg-type]


# Refusals


def float_wav(value: float) -> bytes:
    wave = speech().copy()
    wave[99] = value
    return encoded(wave, codec="FLOAT")


def with_rate(rate: int) -> bytes:
    data = bytearray(encoded(speech()))
    struct.pack_into("<I", data, 24, rate)
    return bytes(data)


NO_RECORDINGS: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "text": (lambda: b"these are notes, not sound", 415, "not a known format; expected WAV"),
    "codec": (lambda: encoded(speech(), codec="GSM610"), 415, "WAV with GSM 6.10 is not taken"),
    "ADTS": (lambda: b"\xff\xf1\x60\x40\x42\x5f\xfc" + bytes(99), 415, r"AAC \(ADTS\)"),
    "AMR": (lambda: b"#!AMR\n" + bytes(99), 415, "AMR is not taken as an upload.*ffmpeg -i"),
    "a head": (lambda: b"\x1aE\xdf\xa3" + bytes(99), 422, "cannot be decoded|no sound"),
    "nothing": (lambda: b"", 422, "is empty"),
    "cut wav": (lambda: encoded(speech())[:30], 422, "damaged or cut short"),
    "cut flac": (lambda: encoded(speech(), kind="FLAC")[:60], 422, "damaged|no samples"),
    "NaN": (lambda: float_wav(np.nan), 422, "not numbers"),
    "infinite": (lambda: float_wav(-np.inf), 422, "not numbers"),
    "no samples": (lambda: encoded(speech()[:0]), 422, "holds no samples"),
    "channels": (lambda: encoded(np.zeros((99, 64))), 422, "64 channels; expected 1 to 32"),
    "high rate": (lambda: with_rate(768_000), 422, "768000 Hz; expected"),
    "low rate": (lambda: with_rate(100), 422, "100 Hz; expected"),
    "long": (lambda: encoded(np.zeros(301_000), 1000), 413, "lasts 301.0 s; .* is 300 s"),
}


@pytest.mark.parametrize("name", NO_RECORDINGS)
def test_what_is_no_recording_is_refused_with_the_reason(client: httpx.Client, name: str) -> None:
    make, status, text = NO_RECORDINGS[name]
    refused(upload(client, make()), status, f"^upload: .*({text})")


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"model": "nobody"}, 404, "model 'nobody': not served here; there are: aesdd"),
        ({"emotions": "boredom"}, 422, "boredom"),
        ({"threshold": "2"}, 422, "threshold: '2'"),
        ({"explain": "perhaps"}, 422, "explain: 'perhaps'"),
        ({"channel": "middle"}, 422, "channel: 'middle'"),
        ({"emotion": "anger"}, 422, r"^emotion: no word of this query.*Did you mean emotions\?"),
    ],
)
def test_wrong_parameters_are_named(
    client: httpx.Client, query: dict[str, str], status: int, text: str
) -> None:
    refused(upload(client, encoded(speech()), **query), status, text)


def test_fields_that_would_be_ignored_are_named(client: httpx.Client) -> None:
    data = encoded(speech())
    two = [("file", ("a.wav", data)), ("file", ("b.wav", data))]
    refused(client.post("/v1/predict", files=two), 422, "several fields `file`")
    more = client.post("/v1/predict", files={"file": ("a.wav", data)}, data={"model": "aesdd"})
    refused(more, 422, "^form field 'model': would be ignored")


def test_each_channel_of_a_call_is_answered(client: httpx.Client) -> None:
    wave = speech()
    call = encoded(
        np.stack([np.concatenate([wave, 0 * wave]), np.concatenate([0 * wave, wave])], 1)
    )
    mixed = upload(client, call).json()
    assert mixed["warnings"] == [
        "its 2 channels differ, as of a call with a party a channel, and were mixed; "
        "ask for the channel left, right or each."
    ]
    told = upload(client, call, channel="each").json()
    assert [one["channel"] for one in told["channels"]] == ["left", "right"]
    left = upload(client, call, channel="left").json()
    assert left == {k: v for k, v in told["channels"][0].items() if k != "channel"}
    assert "warnings" not in left
    last = lines(upload(client, call, "/v1/timeline", channel="each"))[-1]
    starts = [one["segments"][0]["start"] for one in last["channels"]]
    assert last["type"] == "timeline" and starts[0] < 2.5 < starts[1]


def test_an_upload_that_is_cut_short_is_answered_with_a_warning(client: httpx.Client) -> None:
    data = encoded(speech())
    (warning,) = upload(client, data[: len(data) // 2]).json()["warnings"]
    assert warning.endswith(" of 3.00 s could be read; the file is damaged or cut short.")


def test_what_is_no_form_is_refused(client: httpx.Client) -> None:
    form = "multipart/form-data; boundary=x"
    for kind, body, status, text in [
        ("audio/wav", b"RIFF", 415, "the body is audio/wav; expected a form"),
        ("application/json", b"{}", 415, "expected a form"),
        ("multipart/form-data", b"x", 400, "boundary"),
        (form, b"nonsense", 400, "the form is damaged"),
        (form, b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", 422, "no field"),
    ]:
        answer = client.post("/v1/predict", content=body, headers={"content-type": kind})
        refused(answer, status, text)
    refused(client.post("/v1/predict"), 415, "the body is untyped")
    refused(client.get("/v1/predict"), 405)
    refused(client.get("/v1/nothing"), 404)
    refused(client.get("/../../etc/passwd"), 404)


def test_a_large_upload_is_refused_by_its_claim_and_by_its_size(client: httpx.Client) -> None:
    large = bytes(3_000_000)
    refused(upload(client, large), 413, "larger than 2 MB")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for pieces in ([head, *[large[:50_000]] * 60], [head, *[b"\0" * 1000] * 2500]):
        # In chunks: no length is claimed.
        answer = client.post("/v1/predict", content=iter(pieces), headers=FORM)
        refused(answer, 413, "larger than 2 MB")
    assert upload(client, encoded(speech())).status_code == 200


def test_hours_of_silence_in_few_bytes_are_refused(client: httpx.Client) -> None:
    bomb = encoded(np.zeros(20_000_000, np.int16), 1000, "FLAC")
    assert len(bomb) < 500_000
    refused(upload(client, bomb), 413, "lasts 20000.0 s")
    lying = bytearray(bomb)
    lying[21] &= 0xF0
    lying[22:26] = bytes(4)  # its header gives no length
    refused(upload(client, bytes(lying)), 413, "the limit is 300 s")


def test_the_page_of_another_site_may_not_ask(client: httpx.Client) -> None:
    here = {"origin": str(client.base_url).rstrip("/")}
    assert client.post("/v1/predict", headers=here).status_code == 415
    for origin in (
        "http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "http://[",
    ):  # fmt: skip
        answer = client.post("/v1/predict", headers={"origin": origin})
        refused(answer, 403, "only the page of this server")
        assert "access-control-allow-origin" not in answer.headers


def test_another_name_for_this_machine_is_refused(client: httpx.Client) -> None:
    port = client.base_url.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200
    for host in (f"evil.example:{port}", "127.0.0.1.evil.example", "evil@localhost", "[::2]"):
        refused(client.get("/healthz", headers={"host": host}), 421, "this server is called")


def test_behind_a_proxy_the_server_has_a_name_more() -> None:
    with served(names=("Emelia.example",)) as client:
        headers = {"host": "emelia.example", "origin": "https://emelia.example"}
        assert client.post("/v1/predict", headers=headers).status_code == 415
        assert client.get("/healthz").status_code == 200
        refused(client.get("/healthz", headers={"host": "evil.example"}), 421)


def test_a_name_more_does_not_shut_out_the_address_that_is_printed() -> None:
    with served(host="0.0.0.0", names=("emelia.example",)) as client:
        assert client.base_url.host == "127.0.0.1"
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"host": "emelia.example"}).status_code == 200
        refused(client.get("/healthz", headers={"host": "evil.example"}), 421)


# Limits of their own


def test_with_a_token_only_the_page_is_open() -> None:
    with served(token="open-sesame") as client:
        for path in ("/", "/healthz", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
        for given in ({}, {"authorization": "Bearer other"}, {"authorization": "open-sesame"}):
            for path in ("/v1/models", "/metrics"):
                refused(client.get(path, headers=given), 401, "Authorization: Bearer TOKEN")
            refused(client.post("/v1/predict", headers=given), 401)
        key = {"authorization": "Bearer open-sesame"}
        assert client.get("/v1/models", headers=key).status_code == 200
        assert client.get("/metrics", headers=key).status_code == 200


@contextmanager
def half_an_upload(client: httpx.Client) -> Iterator[socket.socket]:
    """A client that begins an upload and stops in the middle of it."""
    url = client.base_url
    with socket.create_connection((url.host, url.port or 80)) as slow:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
            f"Content-Type: {FORM['content-type']}\r\nContent-Length: 1000\r\n\r\n--x\r\n"
        )
        slow.sendall(head.encode())
        slow.settimeout(10)
        yield slow


def answer_to(slow: socket.socket, status: int) -> str:
    """Read an answer by hand; its error."""
    head, _, body = slow.makefile("rb").read1(9999).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    return str(json.loads(body or slow.recv(9999))["error"])


def test_more_than_may_wait_are_sent_away() -> None:
    with served(max_jobs=1, queue=1) as client, ExitStack() as stack:
        first = stack.enter_context(half_an_upload(client))
        second = stack.enter_context(half_an_upload(client))
        wait_for(client, "emelia_jobs_waiting 2.0")
        answer = upload(client, encoded(speech()))
        refused(answer, 429, "2 recordings are being worked on or wait")
        assert int(answer.headers["retry-after"]) > 0
        for slow in (first, second):  # they give up, and their places are free
            slow.close()
        wait_for(client, "emelia_jobs_waiting 0.0")
        assert upload(client, encoded(speech())).status_code == 200


def wait_for(client: httpx.Client, line: str, seconds: float = 10) -> None:
    """Wait until a metric has a value."""
    until = time.monotonic() + seconds
    while line not in client.get("/metrics").text:
        assert time.monotonic() < until, line
        time.sleep(0.02)


def test_an_upload_that_stops_in_the_middle_is_ended() -> None:
    with served(upload_pause=0.2) as client, half_an_upload(client) as slow:
        assert "did not arrive within" in answer_to(slow, 408)


def test_an_upload_that_drips_is_ended() -> None:
    with served(upload_seconds=0.5) as client, half_an_upload(client) as slow:
        with pytest.raises(TimeoutError):
            for _ in range(8):
                slow.sendall(b"-")
                slow.settimeout(0.05)
                slow.recv(9999)
        slow.settimeout(10)
        answer_to(slow, 408)


def test_a_job_that_takes_too_long_is_given_up() -> None:
    with served(timeout=1e-4) as client:
        refused(upload(client, encoded(speech())), 504, "took longer than this server allows")
        assert client.get("/healthz").json() == {"status": "ok"}


def test_a_decoder_that_dies_takes_nobody_with_it() -> None:
    with served(decoder_mb=1) as client:
        refused(upload(client, encoded(np.tile(speech(), 20))), 422, "the decoder gave up")
        assert client.get("/healthz").status_code == 200


# The page, metrics, descriptions


def test_the_page_may_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    assert "<title>" in page.text and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';") and "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    linked = re.findall(r'<(?:link|script|img)[^>]+?(?:src|href)="([^"#]+)"', page.text)
    assert linked
    for path in linked:
        found = client.get(path)
        assert found.status_code == 200, path
        again = client.get(path, headers={"if-none-match": found.headers["etag"]})
        assert again.status_code == 304 and not again.content


def test_answers_are_kept_by_no_cache(client: httpx.Client) -> None:
    assert upload(client, encoded(speech())).headers["cache-control"] == "no-store"


def test_metrics_count_what_happens() -> None:
    with served() as client:
        upload(client, encoded(speech()))
        upload(client, b"notes")
        client.get("/an/invented/path")
        text = client.get("/metrics").text
    for line in (
        'emelia_requests_total{route="/v1/predict",status="200"} 1.0',
        'emelia_requests_total{route="/v1/predict",status="415"} 1.0',
        'emelia_requests_total{route="other",status="404"} 1.0',
        'emelia_request_seconds_count{route="/v1/predict"} 2.0',
        'emelia_rejected_total{reason="format"} 1.0',
        "emelia_decoded_seconds_total 3.0",
        "emelia_jobs_running 0.0",
        "emelia_jobs_waiting 0.0",
        "emelia_live_sessions 0.0",
    ):
        assert line in text
    assert "invented" not in text


def test_the_description_tells_of_every_route(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.") and described["info"]["title"] == "emelia"
    assert set(described["paths"]) == {
        "/v1/predict", "/v1/timeline", "/v1/models", "/v1/models/{name}/card", "/healthz",
        "/metrics",
    }  # fmt: skip
    form = described["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert form["multipart/form-data"]["schema"]["required"] == ["file"]
    docs = client.get("/docs").text
    for path, methods in described["paths"].items():
        assert path in docs
        assert all(m["summary"] in docs and m["responses"] for m in methods.values())
    assert not re.search(r"https?://(?!127\.0\.0\.1)|<script", docs), "it works without a network"


def test_a_request_is_one_line_without_names(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), caplog.filtering(lambda r: r.name != "httpx"):
        upload(client, encoded(speech()), emotions="anger,fear")
    (line,) = [r.getMessage() for r in caplog.records if r.name == "emelia.server"]
    assert re.fullmatch(r"POST /v1/predict 200 \d+ ms", line)
    assert "secret-name" not in caplog.text and "anger" not in caplog.text


# Starting and stopping


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"max_mb": 0}, {"timeout": float("nan")}, {"queue": -1}, {"port": 70_000},
        {"token": "short"}, {"token": "with a space"}, {"models": ()},
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"expected"):
            ServerSettings(**wrong)  # type: ignore[arg-type]


def test_a_missing_model_and_two_of_one_name_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nobody"):
        create_app(ServerSettings(models=("nobody",)))
    with pytest.raises(ConfigError, match="two models are called 'aesdd'"):
        create_app(ServerSettings(models=("aesdd", "aesdd")))


def test_a_taken_port_is_told(client: httpx.Client) -> None:
    settings = ServerSettings(models=("aesdd",), port=client.base_url.port or 0)
    with pytest.raises(EmeliaError, match=r"cannot be listened on .*Choose another"):
        serve(create_app(settings), settings)


def test_without_fastapi_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['fastapi'] = None; import emelia.use.server"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "serving needs fastapi" in run.stderr and "pip install 'emelia[serve]'" in run.stderr
    assert MissingExtraError.__name__ in run.stderr


# Stopping


@contextmanager
def command(*options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """`emelia serve` as people start it, and a client of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emelia", "serve", "--model", "aesdd", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.communicate()[1]
        with httpx.Client(base_url=found.group(), timeout=30, trust_env=False) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell memory")
def test_five_minutes_of_speech_cost_a_server_little_memory() -> None:
    """As docs/recognise.md says; attention over all of it at once once took 15 GB."""
    data = encoded(np.tile(speech(), 100)[: 299 * RATE], kind="OGG", codec="OPUS")
    with command() as (process, client):
        client.timeout = httpx.Timeout(100)
        answer = upload(client, data)
        assert answer.status_code == 200 and answer.json()["speech"] > 100
        assert peak_of(process.pid) < 450


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_quickly_and_well(kind: signal.Signals) -> None:
    with command("--host", "0.0.0.0") as (process, client):
        assert upload(client, encoded(speech())).status_code == 200
        with half_an_upload(client) as slow:
            wait_for(client, "emelia_jobs_waiting 1.0")
            begun = time.monotonic()
            process.send_signal(kind)
            assert "being stopped" in answer_to(slow, 503)
        _, errors = process.communicate(timeout=10)
        assert time.monotonic() - begun < 5
        assert process.returncode == 0
        assert "Traceback" not in errors and "POST /v1/predict 200" in errors
        assert "warning: anybody who can reach 0.0.0.0 may use this server" in errors
        with pytest.raises(httpx.ConnectError):
            client.get("/healthz")


def test_ctrl_c_pressed_again_and_again_ends_the_server_as_well() -> None:
    with command("--grace", "1") as (process, client):
        assert client.get("/healthz").status_code == 200
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_what_runs_is_finished_before_the_server_ends() -> None:
    data = encoded(long_speech(100))
    with started() as (client, stop):
        form = {"file": ("a", data)}
        with client.stream("POST", "/v1/timeline?hop=0.2", files=form) as answer:
            lines = answer.iter_lines()
            next(lines)
            stop()
            assert json.loads(list(lines)[-1])["type"] == "timeline"
        with pytest.raises(httpx.ConnectError):
            httpx.get(client.base_url)


def test_what_runs_too_long_is_given_up_when_the_server_ends() -> None:
    data = encoded(np.tile(speech(), 200))
    with started(grace=0.2) as (client, stop):
        form = {"file": ("a", data)}
        with client.stream("POST", "/v1/timeline?hop=0.1", files=form) as answer:
            lines = answer.iter_lines()
            next(lines)
            stop()
            last = json.loads(list(lines)[-1])
        assert last["status"] == 503 and "being stopped" in last["error"]


def test_live_sessions_are_closed_when_the_server_ends() -> None:
    with started() as (client, stop), session(client) as live:
        live.send(bytes(4 * RATE))
        wait_for(client, "emelia_live_sessions 1.0")
        stop()
        assert events(live) == [] and live.close_code == 1012


def test_a_connection_that_sends_no_whole_request_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocols, "_HEAD_SECONDS", 0.4)
    with served() as client, ExitStack() as stack:
        address = (client.base_url.host, client.base_url.port or 80)
        silent, dripping, early = (
            stack.enter_context(socket.create_connection(address)) for _ in range(3)
        )
        early.sendall(
            b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n"
        )
        assert early.recv(9999).startswith(b"HTTP/1.1 404")
        begun = time.monotonic()
        for line in (silent, dripping, early):
            line.settimeout(0.05)
        ended = set()
        while len(ended) < 3 and time.monotonic() - begun < 5:
            for line in {dripping, early} - ended:
                with suppress(OSError):
                    line.sendall(b"G")
            for line in {silent, dripping, early} - ended:
                with suppress(TimeoutError):
                    try:
                        data = line.recv(9999)
                    except ConnectionResetError:
                        data = b""
                    if not data:
                        ended.add(line)
        assert len(ended) == 3 and time.monotonic() - begun >= 0.3


def test_a_wrong_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, code in (["--model", "nobody"], 1), (["--max-mb", "0"], 2), (["--token", "x"], 2):
        monkeypatch.setattr(sys, "argv", ["emelia", "serve", *options])
        assert main() == code
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("emelia: ") and err.count("\n") == 1
