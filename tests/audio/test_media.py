"""M4A and WebM files are decoded like others, within the same limits."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_files import media_file
from numpy.typing import NDArray

from emelia.audio import decode, media
from emelia.audio.decoding import read_blocks
from emelia.errors import AudioError, FormatError, MissingExtraError, TooLongError

av = pytest.importorskip("av")

Wave = NDArray[np.float32]
RATE = 48_000  # Hz
KINDS = [("mp4", "aac"), ("ipod", "aac"), ("mp4", "alac"), ("webm", "opus"), ("matroska", "aac")]


def likeness(heard: Wave, wave: Wave) -> float:
    """The largest correlation of two waveforms at any lag, 1 for the same sound."""
    size = 2 * max(heard.size, wave.size)
    spectra = np.fft.rfft(heard, size), np.fft.rfft(wave, size)
    lags = np.fft.irfft(spectra[0] * spectra[1].conj())
    return float(lags.max() / np.sqrt((heard**2).sum() * (wave**2).sum()))


def video_file(sound: Wave | None) -> bytes:
    """A film of one grey second, with sound or silent."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        picture = out.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 64
        track = out.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        for _ in range(5):
            out.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(picture.encode(None))
        if track is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            for piece in av.AudioResampler("fltp", "mono", RATE, 1024).resample(frame):
                out.mux(track.encode(piece))
            out.mux(track.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_every_accepted_container_and_codec_gives_the_same_sound(
    wave: Wave, tmp_path: Path, container: str, codec: str
) -> None:
    data = media_file(wave, container, codec)
    (tmp_path / "clip").write_bytes(data)  # no extension: the bytes tell the format
    heard, rate = decode(data)
    assert rate == RATE and heard.dtype == np.float32 and heard.ndim == 1
    assert abs(heard.size - wave.size) < 0.05 * RATE  # codecs pad to whole frames
    assert likeness(heard, wave) > 0.97
    np.testing.assert_array_equal(heard, decode(tmp_path / "clip")[0])


def test_vorbis_in_matroska_is_read(wave: Wave) -> None:
    import soundfile

    ogg, mka = io.BytesIO(), io.BytesIO()
    soundfile.write(ogg, wave, RATE, format="OGG", subtype="VORBIS")
    ogg.seek(0)
    with av.open(ogg) as source, av.open(mka, "w", format="matroska") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    heard, rate = decode(mka.getvalue())
    assert rate == RATE and likeness(heard, wave) > 0.97


def test_integer_samples_have_full_scale_at_one(wave: Wave) -> None:
    heard, _ = decode(media_file(wave, "mp4", "alac"))
    np.testing.assert_allclose(heard[: wave.size], wave, atol=5e-5)


def test_channels_are_mixed_to_their_mean(wave: Wave) -> None:
    stereo, _ = decode(media_file(wave, "mp4", "alac", channels=2))
    np.testing.assert_allclose(stereo[: wave.size], 0.75 * wave, atol=1e-4)
    loud, _ = decode(media_file(wave, "mp4", "aac", channels=2))
    assert likeness(loud, wave) > 0.97


def test_the_sound_of_a_film_is_read(wave: Wave) -> None:
    heard, _ = decode(video_file(wave))
    assert likeness(heard, wave) > 0.97
    with pytest.raises(AudioError, match=r"^upload: has no sound track; expected a recording"):
        decode(video_file(None))


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_a_long_recording_is_refused_whether_or_not_its_header_tells(
    wave: Wave, container: str, codec: str
) -> None:
    data = media_file(wave, container, codec)
    lasts = r"^upload: lasts (\d\.\d|more than 0\.6) s; the limit is 0\.6 s"
    with pytest.raises(TooLongError, match=lasts):
        decode(data, max_seconds=0.6)


def test_the_length_is_counted_while_decoding(wave: Wave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_BLOCK", 4000)
    seen: list[int] = []
    whole = media._samples
    monkeypatch.setattr(media, "_samples", lambda f: seen.append(f.samples) or whole(f))
    with pytest.raises(TooLongError):
        decode(media_file(wave, "webm", "opus"), max_seconds=0.5)
    assert 0.4 * RATE < sum(seen) <= 0.5 * RATE


def test_a_codec_that_is_not_accepted_is_named(wave: Wave) -> None:
    for container, codec in [("mov", "pcm_s16le"), ("matroska", "ac3")]:
        file = io.BytesIO(media_file(wave, container, codec))
        with pytest.raises(FormatError, match=f"^upload: {container} with {codec} is not taken as"):
            list(read_blocks(file, "upload", 10, upload=True))


def test_other_demuxers_are_out_of_reach() -> None:
    playlists = [
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/clip.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n",
        b"\0\0\1\xba" + bytes(100),  # MPEG-PS
        b"FLV\1\5\0\0\0\t" + bytes(100),
        b"0&\xb2u\x8ef\xcf\x11" + bytes(100),  # ASF
    ]
    for data in playlists:
        with pytest.raises(
            FormatError, match=r"^upload: (not a known|MPEG-PS|FLV|WMA).*expected WAV"
        ):
            list(read_blocks(io.BytesIO(data), "upload", 10, upload=True))


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_damaged_files_give_sound_or_one_clear_error(
    wave: Wave, container: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    data = media_file(wave[:8000], container, codec)
    refused = 0
    for _ in range(40):
        broken = bytearray(data[: rng.integers(len(data) // 8, len(data) + 1)])
        for _ in range(3):
            broken[rng.integers(8, len(broken))] = rng.integers(0, 256)
        try:
            heard, _ = decode(bytes(broken), max_seconds=10)
        except AudioError as error:
            refused += 1
            assert str(error).startswith("upload: ") and "\n" not in str(error)
        else:
            assert heard.size and np.isfinite(heard).all()
    assert refused
    assert capfd.readouterr() == ("", ""), "FFmpeg keeps what it thinks to itself"


@pytest.mark.parametrize("head", [b"\0\0\0\x1cftypM4A ", b"\x1aE\xdf\xa3"])
def test_a_head_alone_is_damaged(head: bytes) -> None:
    with pytest.raises(AudioError, match=r"^upload: (cannot be decoded|has no sound|holds no)"):
        decode(head + bytes(200))


def test_without_pyav_the_error_names_the_extra(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = media_file(wave)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'emelia[media]'")):
        decode(data)


def test_decoding_other_formats_does_not_load_pyav(tone: Callable[..., Path]) -> None:
    code = (
        "import sys; from emelia.audio import decode; decode(sys.argv[1]); "
        "sys.exit('av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tone())], check=False).returncode == 0
