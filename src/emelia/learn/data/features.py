"""Waveforms to spectrograms: log-mel, MFCC and PCEN as one torch module.

Shapes: B clips, T samples, F frames, M bands (mel bands or cepstral coefficients).
The same module computes features for training and travels inside the exported model,
so training and use cannot drift apart. It equals librosa's `melspectrogram` +
`power_to_db(ref=max)`, `mfcc` and `pcen`; frames are centred and the signal is followed by
zeros, so a clip has the same frames alone as in a batch of longer ones.

There are three ways to the bands, equal to rounding: `FrontEnd` takes `MelBands` for single
precision on a CPU and else torch's FFT, `TraceableFrontEnd` matrix products alone, which any
runtime has and does fast.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.audio.mel import AMIN, MelBands
from emelia.config import SAMPLE_RATE, FeatureConfig
from emelia.learn.data import pcen

FLAT = 0.1  # dB; a smaller deviation is that of a constant, and is not scaled to 1
LEAST = 1e-7  # added to the variance of a waveform, as transformers does


class FrontEnd(nn.Module):
    """Waveforms (B, T) to spectrograms (B, M, F) as a `FeatureConfig` asks."""

    window: Tensor
    filters: Tensor
    dct: Tensor
    past: Tensor

    def __init__(self, config: FeatureConfig, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        window = torch.hann_window(config.window, dtype=torch.float64)
        self.register_buffer("window", window.to(dtype))
        self.bands_of = MelBands(config)
        self.register_buffer("filters", torch.from_numpy(self.bands_of.filters).to(dtype))
        self.register_buffer("dct", torch.from_numpy(dct(config.mfccs, config.mels)).to(dtype))
        weights = pcen.smoother(SAMPLE_RATE / config.hop) if config.kind == "pcen" else np.zeros(0)
        self.register_buffer("past", torch.from_numpy(weights).to(dtype))

    @property
    def bands(self) -> int:
        """M, the height of a spectrogram."""
        return self.config.rows

    def frames(self, samples: Tensor) -> Tensor:
        """Number of frames (B,) of clips with so many samples (B,)."""
        if self.config.kind == "wave":
            return samples
        return samples // self.config.hop + 1

    def forward(self, waves: Tensor, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute spectrograms.

        Args:
            waves: (B, T) at 16 kHz, zeros after each clip's end.
            samples: (B,) the length of each clip.

        Returns:
            Spectrograms (B, M, F), silent after each clip's end; the number of frames (B,);
            and a silent frame of each clip, in the same units (B, M).
            Of kind wave they are the samples (B, 1, T) and silence is 0.
        """
        if self.config.kind == "wave":
            return self._wave(waves, samples)
        frames = self.frames(samples)
        mel = self._mel(waves)  # (B, M, F), as are spectrograms from here on
        mask = (torch.arange(mel.shape[2], device=waves.device) < frames[:, None])[:, None, :]
        if self.config.kind == "pcen":
            spec = pcen.normalise(mel, self.past)
            silence = spec.new_zeros(spec.shape[:2])
        else:
            spec, silence = self._decibels(mel, mask)  # the latter (B, M)
        if self.config.kind == "mfcc":
            spec, silence = self.dct @ spec, silence @ self.dct.T
        spec, silence = self._standardise(spec, silence, mask)
        return torch.where(mask, spec, silence[:, :, None]), frames, silence

    def _wave(self, waves: Tensor, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Samples as they are or, as for wav2vec 2.0 and its kin, of mean 0 and deviation 1."""
        mask = torch.arange(waves.shape[1], device=waves.device) < samples[:, None]
        if self.config.standardise != "none":
            mean = (waves * mask).sum(1, keepdim=True) / samples[:, None]
            variance = ((waves - mean) * mask).square().sum(1, keepdim=True) / samples[:, None]
            waves = (waves - mean) / (variance + LEAST).sqrt()
        return (waves * mask)[:, None], samples, waves.new_zeros(waves.shape[0], 1)

    def _mel(self, waves: Tensor) -> Tensor:
        """Power in mel bands, magnitudes for PCEN: (B, T) -> (B, M, F)."""
        root = self.config.kind == "pcen"
        plain = waves.device.type == "cpu" and self.filters.dtype == waves.dtype == torch.float32
        if plain and not waves.requires_grad:
            return torch.stack([torch.from_numpy(self.bands_of(w.numpy(), root)) for w in waves])
        power = self._power(waves)  # (B, n_fft / 2 + 1, F)
        return self.filters @ (power.sqrt() if root else power)

    def _power(self, waves: Tensor) -> Tensor:
        c = self.config
        spectrum = torch.stft(
            waves,
            c.n_fft,
            hop_length=c.hop,
            win_length=c.window,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return spectrum.real.square() + spectrum.imag.square()

    def _decibels(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Power to dB: below the clip's maximum for log-mel, absolute for MFCC, as librosa."""
        db = 10 * mel.clamp(min=AMIN).log10()
        loudest = db.masked_fill(~mask, -math.inf).amax((1, 2), keepdim=True)  # (B, 1, 1)
        lowest = (loudest - self.config.top_db).clamp(min=10 * math.log10(AMIN))
        db = torch.maximum(db, lowest)
        if self.config.kind == "logmel":
            db, lowest = self._scaled(db, loudest), self._scaled(lowest, loudest)
        return db, lowest.expand(-1, mel.shape[1], 1).squeeze(2)

    def _scaled(self, db: Tensor, loudest: Tensor) -> Tensor:
        return db - loudest if self.config.scale == "db" else (db / 10 + 4) / 4

    def _standardise(self, spec: Tensor, silence: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean 0 and deviation 1 over a clip's own frames, per clip or per clip and band."""
        if self.config.standardise == "none":
            return spec, silence
        over = (2,) if self.config.standardise == "band" else (1, 2)
        bands = 1 if self.config.standardise == "band" else spec.shape[1]
        count = mask.sum(2, keepdim=True) * bands
        mean = (spec * mask).sum(over, keepdim=True) / count
        variance = ((spec - mean) * mask).square().sum(over, keepdim=True) / count
        scale = torch.where(variance > FLAT**2, variance, 1.0).sqrt()
        return (spec - mean) / scale, (silence - mean.squeeze(2)) / scale.squeeze(2)


class TraceableFrontEnd(FrontEnd):
    """A front end without `torch.stft`, for the exported graph.

    The window is symmetric about its centre, so a frame is folded there into the sums and the
    differences of its two halves: cosines and sines need half as many multiplications.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: FeatureConfig, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(config, dtype)
        size = config.window
        # Distances of the window's right half from its centre, which is a sample where size is
        # even. That sample would be added to itself: it counts half. Sample 0 has weight 0.
        distance = torch.arange(size // 2 + size % 2, size, dtype=torch.float64) - size / 2
        weight = torch.hann_window(size, dtype=torch.float64)[size // 2 + size % 2 :]
        weight = torch.where(distance == 0, weight / 2, weight)
        bins = torch.arange(config.n_fft // 2 + 1)
        angles = distance[:, None] * bins * (2 * math.pi / config.n_fft)  # (size / 2, bins)
        self.register_buffer("cosines", (weight[:, None] * angles.cos()).to(dtype))
        self.register_buffer("sines", (weight[:, None] * angles.sin()).to(dtype))

    def _mel(self, waves: Tensor) -> Tensor:
        power = self._power(waves)
        return self.filters @ (power.sqrt() if self.config.kind == "pcen" else power)

    def _power(self, waves: Tensor) -> Tensor:
        frames = self._frames(waves)  # (B, F, window)
        size = self.config.window
        right = frames[:, :, size // 2 + size % 2 :]
        left = frames[:, :, 1 : size // 2 + 1].flip(2)
        real, imaginary = (left + right) @ self.cosines, (right - left) @ self.sines
        return (real.square() + imaginary.square()).transpose(1, 2)

    def _frames(self, waves: Tensor) -> Tensor:
        """Cut (B, T) into overlapping frames (B, F, window), of chunks of one hop each."""
        c, length = self.config, waves.shape[1]
        count, overlap = length // c.hop + 1, -(-c.window // c.hop)  # chunks a frame reaches over
        before = c.n_fft // 2 - (c.n_fft - c.window) // 2
        chunks = count + overlap  # one more than needed, so that nothing is ever cut off
        padded = F.pad(waves, (before, chunks * c.hop - before - length))
        grid = torch.unflatten(padded, 1, (chunks, c.hop))
        beside = torch.cat([grid[:, i : i + count] for i in range(overlap)], 2)
        return beside[:, :, : c.window]


def dct(coefficients: int, bands: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II as a matrix (coefficients, bands)."""
    k, n = np.arange(coefficients)[:, None], np.arange(bands)
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * bands)) * math.sqrt(2 / bands)
    matrix[0] /= math.sqrt(2)
    return np.asarray(matrix)
