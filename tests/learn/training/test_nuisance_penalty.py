"""What tells speakers and corpora apart: measured class by class, and listened to less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emelia.corpora import Utterance
from emelia.learn.training import nuisance_penalty


def utterance(speaker: str, corpus: str) -> Utterance:
    return Utterance("", Path(), "", speaker, corpus=corpus)


def people(corpora: dict[str, int], clips: int) -> list[Utterance]:
    """Some clips of each of so many speakers."""
    return [
        utterance(f"{corpus}/{speaker}", corpus)
        for corpus, speakers in corpora.items()
        for speaker in range(speakers)
        for _ in range(clips)
    ]


def drawn(some: list[Utterance]) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and features of which 0 says the class, 1 the speaker, 2 the corpus."""
    rng = np.random.default_rng(0)
    labels = np.arange(len(some)) % 2
    x = np.zeros((len(some), 4), np.float32)
    x[:, 0] += 5 * labels
    for column, who in ((1, [u.speaker for u in some]), (2, [u.corpus for u in some])):
        names, place = np.unique(who, return_inverse=True)
        x[:, column] += rng.standard_normal(len(names))[place]
    return x, labels


def test_the_squares_of_offsets_are_the_variances_between_speakers_and_corpora() -> None:
    some = people({"a": 5, "b": 4}, 4)
    x, labels = drawn(some)
    found = nuisance_penalty.offsets(x, labels, some)
    speakers = [x[:20:4, 1], x[20::4, 1]]
    spread = np.concatenate([(s - s.mean()) * (len(s) / (len(s) - 1)) ** 0.5 for s in speakers])
    np.testing.assert_allclose((found[:9] ** 2).sum(0)[1], (spread**2).mean(), rtol=1e-4)
    np.testing.assert_allclose((found[9:] ** 2).sum(0)[2], np.var(x[[0, 20], 2], ddof=1), rtol=1e-4)
    assert found.shape == (11, 4)
    assert np.abs(found[:, 0]).max() < 1e-5, "what says the class tells nobody apart"


def test_classes_that_some_speakers_lack_do_not_count_as_theirs() -> None:
    some = people({"a": 3}, 8)
    x, labels = drawn(some)
    labels[:8] = 1  # the first speaker is never heard in the other class
    x[:8, 0] = 5
    assert np.abs(nuisance_penalty.offsets(x, labels, some)[:, 0]).max() < 1e-5


@pytest.mark.parametrize("corpora", [{"a": 1}, {}])
def test_a_single_speaker_of_a_single_corpus_has_no_offsets(corpora: dict[str, int]) -> None:
    some = people(corpora, 4)
    found = nuisance_penalty.offsets(
        np.ones((len(some), 4), np.float32), np.zeros(len(some), int), some
    )
    assert found.shape == (0, 4)
    x = torch.randn(3, 4)
    torch.testing.assert_close(
        nuisance_penalty.damp(x, nuisance_penalty.damping(torch.from_numpy(found))), x
    )


def test_damping_is_the_root_of_an_inverse() -> None:
    offsets, x = torch.randn(3, 6), torch.randn(10, 6)
    values, vectors = torch.linalg.eigh(torch.eye(6) + offsets.T @ offsets)
    expected = x @ vectors @ torch.diag(values**-0.5) @ vectors.T
    torch.testing.assert_close(
        nuisance_penalty.damp(x, nuisance_penalty.damping(offsets)), expected
    )
