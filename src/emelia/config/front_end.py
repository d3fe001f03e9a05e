"""Settings of sound and features: default, meaning, range and use of each in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from emelia.config.fields import setting

SAMPLE_RATE = 16_000  # Hz, the one rate inside emelia


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """How a decoded recording becomes the waveform the front end gets."""

    dc: bool = setting(True, "subtract the mean")
    denoise: Literal["none", "quiet", "founding"] = setting(
        "none",
        "noise gate; its noise profile: the quietest frames, or the founding study's first second",
        without={"no noise reduction": "none"},
        solved=True,
    )
    trim_db: float = setting(
        0.0, "cut silence at both ends, so many dB below the peak; 0 keeps it", within=(0, 200)
    )
    level: Literal["none", "peak", "loudness"] = setting("peak", "what is made equal for all clips")
    speech: bool = setting(
        False,
        "keep only the speech, its runs joined, and give it to the network in windows of 4 s, as "
        "recordings are answered",
        without={"pauses kept": False},
        solved=True,
    )

    def outside_graph(self) -> AudioConfig:
        """The steps that are done before the graph of a model file.

        The graph has those on by default, DC removal and peak normalisation. Where another step
        would come between them, all are done outside, in their order. Speech is looked for after
        them, in every recording.
        """
        inside = self.denoise == "none" and not self.trim_db and self.level != "loudness"
        return AudioConfig(dc=False, level="none") if inside else replace(self, speech=False)


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """How a waveform becomes a spectrogram (M, F). The defaults are the founding study's."""

    kind: Literal["logmel", "mfcc", "pcen", "wave"] = setting(
        "logmel",
        "pcen: per-channel energy normalisation instead of a logarithm; wave: the samples (1, T), "
        "for encoders of waveforms, of which only `standardise` of what follows counts",
    )
    n_fft: int = setting(2048, "samples of the Fourier transform", within=(16, 65_536))
    window: int = setting(2048, "samples of the Hann window, centred in n_fft", within=(2, 65_536))
    hop: int = setting(512, "samples from frame to frame: 512 are 32 ms", within=(1, 65_536))
    mels: int = setting(128, "mel bands", within=(1, 1024))
    mfccs: int = setting(20, "coefficients kept where kind is mfcc", within=(1, 1024))
    fmin: float = setting(0.0, "Hz, lower edge of the mel bands", within=(0, SAMPLE_RATE / 2))
    fmax: float = setting(8000.0, "Hz, upper edge of the mel bands", within=(0, SAMPLE_RATE / 2))
    top_db: float = setting(80.0, "dB kept below each clip's loudest point", within=(1, 200))
    scale: Literal["db", "whisper"] = setting(
        "db",
        "dB below the clip's loudest point, or (log10 + 4) / 4, which Whisper's encoders expect",
    )
    standardise: Literal["none", "clip", "band"] = setting(
        "clip", "mean 0 and deviation 1 over a clip, or over each of its bands"
    )

    @property
    def rows(self) -> int:
        """M, the height of a spectrogram."""
        return {"mfcc": self.mfccs, "wave": 1}.get(self.kind, self.mels)

    @property
    def decibels(self) -> float:
        """Decibels to a unit of a spectrogram; 0 where units are no decibels."""
        if self.kind != "logmel" or self.standardise != "none":
            return 0.0
        return 40.0 if self.scale == "whisper" else 1.0


# Front ends by name, for recipes and for `--set features=NAME`.
PRESETS = {
    "founding": FeatureConfig(),
    "speech-64": FeatureConfig(n_fft=512, window=400, hop=160, mels=64),  # 25 ms every 10 ms
    "speech-80": FeatureConfig(n_fft=512, window=400, hop=160, mels=80),
    "whisper": FeatureConfig(
        n_fft=400, window=400, hop=160, mels=80, scale="whisper", standardise="none"
    ),
    "mfcc": FeatureConfig(kind="mfcc", mfccs=40, standardise="band"),
    "pcen": FeatureConfig(kind="pcen", n_fft=512, window=400, hop=160, mels=64),
}
