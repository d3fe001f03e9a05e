"""Recordings to waveforms: bounded decoding, and the steps that clean a waveform.

A waveform is float32 (T,), mono, full scale at 1; a rate is in Hz. Every step is a
pure function: it returns a new waveform and leaves the one it was given as it was.

Files come from strangers. So only WAV (PCM, float), FLAC, Ogg (Vorbis, Opus) and MP3
reach the decoder, told by their first bytes, and the length is checked before and
while samples are read. A message begins with the path, or `upload` for bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emelia.config import SAMPLE_RATE, AudioConfig
from emelia.errors import AudioError, ConfigError, MissingExtraError

Wave = NDArray[np.float32]  # (T,)

ACCEPTED = "WAV (PCM or float), FLAC, Ogg (Vorbis or Opus) and MP3"
_PCM = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
_CODECS = {
    "WAV": {*_PCM, "FLOAT", "DOUBLE"},
    "WAVEX": {*_PCM, "FLOAT", "DOUBLE"},
    "FLAC": _PCM,
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
_RATES = (1_000, 384_000)  # Hz
_BLOCK = 2**20  # samples of all channels read at once
_UNKNOWN = 2**62  # frames: a stream whose header gives no length counts at least this many

_NOISE_SHARE = 0.1  # of the frames, the quietest
_NOISE_SECONDS = 0.25  # of noise at least
_DIGITAL_SILENCE = 1e-8  # of the loudest frame's power: -80 dB, where the gate's range ends
_TINY = float(np.finfo(np.float32).tiny)  # a smaller peak is silence
_LOUDNESS_BLOCK = 0.4  # s, the gating block of BS.1770


def decode(source: str | Path | bytes, *, max_seconds: float = 3600.0) -> tuple[Wave, int]:
    """Read a recording and mix its channels to their mean.

    Returns:
        The waveform (T,) at the recording's own rate, and that rate.

    Raises:
        AudioError: missing, not a file, another format, damaged, empty, too long, or
            with samples that are not numbers.
    """
    if isinstance(source, bytes):
        return _decode(BytesIO(source), "upload", max_seconds)
    path = Path(source)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: {_why_no_file(path)}")
        with path.open("rb") as file:
            return _decode(file, str(path), max_seconds)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error}).") from None


def content_digest(wave: Wave, rate: int) -> str:
    """SHA-256 of rate and samples: equal for equal sound, whatever file it came in."""
    samples = np.ascontiguousarray(wave, dtype="<f4").tobytes()
    return sha256(f"{rate} Hz\n".encode() + samples).hexdigest()


def resample(wave: Wave, rate: int, to: int = SAMPLE_RATE) -> Wave:
    """Change the rate with soxr HQ, to ceil(T * to / rate) samples, as librosa does."""
    if rate == to:
        return wave.copy()
    length = math.ceil(wave.size * (to / rate))
    out = np.zeros(length, np.float32)
    made = soxr.resample(wave, rate, to, quality="HQ")[:length]
    out[: made.size] = made
    return out


def remove_dc(wave: Wave) -> Wave:
    """Subtract the mean."""
    return np.asarray(wave - wave.mean(dtype=np.float64), dtype=np.float32)


def normalise_peak(wave: Wave) -> Wave:
    """Bring the largest absolute sample to 1; silence stays silence."""
    peak = float(np.abs(wave).max(initial=0.0))
    return np.divide(wave, peak if peak >= _TINY else 1.0, dtype=np.float32)


def normalise_loudness(wave: Wave, rate: int, lufs: float = -23.0) -> Wave:
    """Bring the integrated loudness (ITU-R BS.1770-4) to `lufs`, as far as the peak stays <= 1.

    Measured at peak 1, so that the absolute gate at -70 LUFS does not take a very quiet
    recording for silence. A clip shorter than the standard's block of 0.4 s is padded to one
    with zeros, and the measured value raised by the share they take. Silence stays silence.
    """
    try:
        from pyloudnorm import Meter
    except ImportError:
        raise MissingExtraError("loudness normalisation", "pyloudnorm", "train") from None
    level = normalise_peak(wave)
    block = math.ceil(_LOUDNESS_BLOCK * rate)
    padded = np.pad(level.astype(np.float64), (0, max(0, block - wave.size)))
    measured = Meter(rate).integrated_loudness(padded)
    if not math.isfinite(measured):
        return level
    measured += 10 * math.log10(padded.size / wave.size)
    return level * np.float32(min(1.0, 10 ** ((lufs - measured) / 20)))


def noise_profile(wave: Wave, rate: int) -> Wave:
    """The background alone: the quietest tenth of all 32 ms frames, at least 0.25 s of it.

    Frames of digital silence do not count. Stretches are joined by crossfades of 8 ms with
    constant power, since a click would count as noise in every band. Empty where there are not
    twice as many frames as are needed: then nothing tells pauses from speech.
    """
    size = max(4, round(0.032 * rate))
    fade = size // 4
    frames = wave[: wave.size // size * size].reshape(-1, size)
    power = frames.var(axis=1, dtype=np.float64)
    heard = np.flatnonzero(power > _DIGITAL_SILENCE * power.max(initial=0.0))
    shortest = math.ceil(_NOISE_SECONDS * rate / (size - fade))
    wanted = max(shortest, math.ceil(_NOISE_SHARE * heard.size))
    if heard.size < 2 * wanted:
        return wave[:0].copy()
    quiet = np.sort(heard[np.argsort(power[heard], kind="stable")[:wanted]])
    runs = np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1)
    return _join([wave[run[0] * size : (run[-1] + 1) * size] for run in runs], fade)


def reduce_noise(wave: Wave, rate: int) -> Wave:
    """Gate each frequency at the level of the quietest frames (noisereduce, stationary).

    Frames of 32 ms every 8 ms; the gate is smoothed over 25 ms but hardly over frequency, since
    noisereduce's usual 500 Hz would mix a voice's harmonics with the gaps between them. A clip
    too short or too silent for a `noise_profile` comes back unchanged.
    """
    noise = noise_profile(wave, rate)
    if not noise.size:
        return wave.copy()
    try:
        import noisereduce
    except ImportError:
        raise MissingExtraError("noise reduction", "noisereduce", "train") from None
    n_fft = 2 ** round(math.log2(0.032 * rate))
    cleaned = noisereduce.reduce_noise(
        wave, rate, stationary=True, y_noise=noise, n_fft=n_fft,
        freq_mask_smooth_hz=2 * rate / n_fft, time_mask_smooth_ms=25,
        chunk_size=1024 * n_fft, padding=4 * n_fft, n_jobs=1, use_tqdm=False,
    )  # fmt: skip
    return np.asarray(cleaned, dtype=np.float32)


def trim_silence(wave: Wave, rate: int, below_db: float) -> Wave:
    """Cut both ends as long as their 20 ms frames lie `below_db` under the loudest frame.

    Raises:
        ConfigError: `below_db` is not above 0; the loudest frame itself would go.
    """
    if not below_db > 0:
        raise ConfigError(f"trim_db: {below_db:g}; expected decibels below the peak, above 0.")
    size = max(1, round(0.02 * rate))
    frames = np.pad(wave, (0, -wave.size % size)).reshape(-1, size)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max(initial=0.0) * 10 ** (-below_db / 10))
    return wave[loud[0] * size : (loud[-1] + 1) * size].copy() if loud.size else wave.copy()


def prepare(wave: Wave, rate: int, config: AudioConfig) -> Wave:
    """Resample to 16 kHz, then remove DC, reduce noise, trim and level as configured.

    Raises:
        AudioError: not a waveform: not (T,), empty, or with samples that are not numbers.
    """
    if wave.ndim != 1 or not wave.size or not np.isfinite(wave).all():
        raise AudioError(f"array of shape {wave.shape}: expected finite samples of shape (T,).")
    wave = resample(wave.astype(np.float32, copy=False), rate)
    if config.dc:
        wave = remove_dc(wave)
    if config.denoise == "quiet":
        wave = reduce_noise(wave, SAMPLE_RATE)
    if config.trim_db:
        wave = trim_silence(wave, SAMPLE_RATE, config.trim_db)
    if config.level == "peak":
        wave = normalise_peak(wave)
    elif config.level == "loudness":
        wave = normalise_loudness(wave, SAMPLE_RATE)
    return wave


def preprocess_audio(path: str | Path) -> tuple[Wave, int]:
    """Decode, resample to 16 kHz, subtract the mean, bring the peak to 1.

    Returns:
        The waveform (T,) and 16000.

    Raises:
        AudioError: see `decode`.
    """
    wave, rate = decode(path)
    return prepare(wave, rate, AudioConfig()), SAMPLE_RATE


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Reads onwards and never seeks, so that streams of unknown length end well."""

    def seekable(self) -> bool:
        return False


def _decode(file: BinaryIO, name: str, max_seconds: float) -> tuple[Wave, int]:
    _check_container(file, name)
    file.seek(0)
    try:
        with _Sequential(file) as sound:
            _check_header(sound, name, max_seconds)
            wave, rate = _read(sound, name, max_seconds), int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{name}: cannot be decoded ({error.error_string.rstrip('.')}). "
            "It is damaged or cut short; use an intact copy."
        ) from None
    if not wave.size:
        raise AudioError(f"{name}: holds no samples (0 s); expected a recording.")
    return wave, rate


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; expected one recording."
    return "is not a regular file." if path.exists() else "no such file."


def _check_container(file: BinaryIO, name: str) -> None:
    """Refuse by its first bytes what the decoder should never see."""
    head = file.read(12)
    while head[:3] == b"ID3" and len(head) == 12:  # a tag in front; its length is 4 x 7 bits
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(size - 2, 1)
        head = file.read(12)
    mpeg = head[:1] == b"\xff" and head[1:2] >= b"\xe0"
    if not head:
        raise AudioError(f"{name}: is empty; expected {ACCEPTED}.")
    if not (mpeg or head[:4] in (b"fLaC", b"OggS") or _is_wave(head)):
        raise AudioError(f"{name}: not a known format; expected {ACCEPTED}.")
    if _is_wave(head) and (tag := _wave_codec(file)) not in (1, 3):
        codec = "no codec" if tag is None else f"codec 0x{tag:04x}"
        raise AudioError(f"{name}: WAV with {codec}; expected {ACCEPTED}.")


def _is_wave(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _wave_codec(file: BinaryIO) -> int | None:
    """The format tag of a WAV file, read from after `WAVE`: 1 is PCM, 3 float."""
    for _ in range(100):  # chunks; real files have a few
        marker = file.read(8)
        size = int.from_bytes(marker[4:8], "little")
        if marker[:4] == b"fmt ":
            fields = file.read(min(size, 26))
            tag = int.from_bytes(fields[:2], "little")
            return int.from_bytes(fields[24:26], "little") if tag == 0xFFFE else tag
        if len(marker) < 8:
            break
        file.seek(size + size % 2, 1)
    return None


def _check_header(sound: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    codec = f"{sound.format} with {sound.subtype}"
    if sound.subtype not in _CODECS.get(sound.format, ()):
        raise AudioError(f"{name}: {codec}; expected {ACCEPTED}.")
    low, high = _RATES
    if not low <= sound.samplerate <= high:
        raise AudioError(f"{name}: {sound.samplerate} Hz; expected a rate of {low} to {high} Hz.")
    if sound.frames < _UNKNOWN:
        _check_length(sound.frames, sound.samplerate, name, max_seconds)


def _check_length(frames: int, rate: int, name: str, max_seconds: float) -> None:
    if frames > max_seconds * rate:
        raise AudioError(
            f"{name}: lasts {frames / rate:.0f} s or more; the limit is {max_seconds:g} s. Cut it."
        )


def _read(sound: soundfile.SoundFile, name: str, max_seconds: float) -> Wave:
    """Read block by block, so that a header that lies about the length costs one block."""
    blocks: list[Wave] = [np.zeros(0, np.float32)]
    frames = 0
    while True:
        block = sound.read(max(1, _BLOCK // sound.channels), dtype="float32", always_2d=True)
        frames += len(block)
        _check_length(frames, sound.samplerate, name, max_seconds)
        if not np.isfinite(block).all():
            raise AudioError(f"{name}: has samples that are not numbers (NaN or infinite).")
        blocks.append(block.mean(axis=1))  # (T, channels) -> (T,)
        if not len(block):
            return np.concatenate(blocks)


def _join(stretches: Sequence[Wave], fade: int) -> Wave:
    """Overlap stretches by `fade` samples; sine ramps keep the power of noise constant."""
    ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
    joined = np.zeros(sum(s.size for s in stretches) - fade * (len(stretches) - 1))
    start = 0
    for number, stretch in enumerate(stretches):
        piece = stretch.astype(np.float64)
        if number > 0:
            piece[:fade] *= ramp
        if number < len(stretches) - 1:
            piece[-fade:] *= ramp[::-1]
        joined[start : start + piece.size] += piece
        start += piece.size - fade
    return joined.astype(np.float32)
