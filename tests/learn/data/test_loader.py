"""Clips are loaded once, padded with silence, batched without loss, changed only in training."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from emelia.audio import content_digest, decode, prepare
from emelia.config import (
    AudioConfig,
    AugmentConfig,
    FeatureConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
    recipe_from,
)
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.errors import AudioError
from emelia.learn.data import loader as data
from emelia.learn.data.features import FrontEnd
from emelia.learn.data.loader import (
    Batch,
    Clip,
    Loader,
    collate,
    evaluation_batches,
    plan,
    resize,
    training_batches,
)
from emelia.learn.model.network import Network, build

CLASSES = ("anger", "disgust", "fear")
VARIABLE = build(ModelConfig(dropout=0.0), 3, 8)
RESIZED = build(ModelConfig(name="resized"), 3, 8)
SOUND = AugmentConfig(copies=4, probability=1.0)  # every copy another noise, pitch and tempo
MASKS = AugmentConfig(
    copies=3, probability=0.0, mask_probability=1.0, frequency_mask=(10, 30), time_mask=(3, 8)
)
CHANGED_AUDIO = {"speech": True, "dc": False, "denoise": "quiet", "trim_db": 30.0, "level": "none"}
CHANGED_FEATURES = {
    "kind": "mfcc",
    "n_fft": 4096,
    "window": 1024,
    "hop": 300,
    "mels": 64,
    "mfccs": 13,
    "fmin": 300.0,
    "fmax": 4000.0,
    "top_db": 30.0,
    "scale": "whisper",
    "standardise": "none",
}
CHANGES = [
    *({"audio": {name: value}} for name, value in CHANGED_AUDIO.items()),
    *(
        {"features": {name: value} | ({"kind": "mfcc"} if name == "mfccs" else {})}
        for name, value in CHANGED_FEATURES.items()
    ),
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus(small_corpus: Callable[..., Path]) -> Corpus:
    """Twelve clips of half a second to one: 2 emotions, 3 speakers, 2 sentences."""
    return read_corpus(small_corpus())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every spectrogram that is computed, not read from the cache, is noted here."""
    noted: list[str] = []
    forward = FrontEnd.forward

    def note(self: FrontEnd, *args: Any) -> Any:
        noted.append("made")
        return forward(self, *args)

    monkeypatch.setattr(FrontEnd, "forward", note)
    return noted


def same(ours: Sequence[Clip], theirs: Sequence[Clip]) -> bool:
    return len(ours) == len(theirs) and all(
        a.utterance == b.utterance
        and a.label == b.label
        and np.array_equal(a.spec, b.spec)
        and np.array_equal(a.silence, b.silence)
        for a, b in zip(ours, theirs, strict=True)
    )


def fake_clips(
    lengths: Sequence[int], labels: Sequence[int] | None = None, bands: int = 8
) -> list[Clip]:
    """Clips whose every value is their number (from 1), and silence its negative."""
    return [
        Clip(
            Utterance(f"{i}.wav", Path(f"{i}.wav"), CLASSES[label], "1", digest=str(i)),
            label,
            np.full((bands, length), i, np.float32),
            np.full(bands, -i, np.float32),
        )
        for i, (length, label) in enumerate(
            zip(lengths, labels or [0] * len(lengths), strict=True), 1
        )
    ]


def numbers(batches: Sequence[Batch]) -> list[int]:
    """Which `fake_clips` are in batches."""
    return [int(row[0, 0, 0]) for batch in batches for row in batch.inputs]


def epoch(
    clips: Sequence[Clip], recipe: Recipe, seed: int = 0, network: Network = VARIABLE
) -> list[Batch]:
    return list(training_batches(clips, recipe, network, np.random.default_rng(seed)))


def recipe_of(augment: AugmentConfig | None = None, **train: Any) -> Recipe:
    return Recipe(augment=augment or AugmentConfig(), train=TrainConfig(**train))


# Sizes


def test_a_clip_shorter_than_the_network_takes_ends_in_silence() -> None:
    (clip,) = fake_clips([2])
    clip = replace(clip, silence=np.arange(8, dtype=np.float32) - 20)
    sized = resize(clip, VARIABLE)
    assert sized.shape == (8, 4)
    assert (sized[:, :2] == 1).all()
    assert (sized[:, 2:] == clip.silence[:, None]).all()


def test_a_short_clip_is_the_same_alone_and_in_a_batch() -> None:
    clips = fake_clips([2, 9, 3, 4])
    together = collate(clips, VARIABLE)
    assert together.lengths.tolist() == [4, 9, 4, 4]
    for place, clip in enumerate(clips):
        alone = collate([clip], VARIABLE)
        frames = int(alone.lengths[0])
        assert int(together.lengths[place]) == frames
        assert torch.equal(together.inputs[place, ..., :frames], alone.inputs[0])
    with torch.no_grad():
        outputs = VARIABLE(together.inputs, together.lengths)
        lone = [VARIABLE(b.inputs, b.lengths) for b in (collate([c], VARIABLE) for c in clips)]
    torch.testing.assert_close(outputs, torch.cat(lone), rtol=1e-5, atol=1e-5)


def test_a_resized_network_gets_short_clips_padded_with_silence() -> None:
    (clip,) = fake_clips([100])
    sized = resize(clip, RESIZED)
    assert sized.shape == (8, 256)
    assert (sized[:, :100] == 1).all()
    assert (sized[:, 100:] == -1).all()


def test_padding_is_the_silence_of_the_sound_and_not_zero(corpus: Corpus) -> None:
    network = build(ModelConfig(name="resized"), 2, 128)
    (clip,) = Loader(Recipe(), corpus.emotions).load(corpus.utterances[:1])
    sized = resize(clip, network)
    frames = clip.spec.shape[1]
    assert frames < 256
    np.testing.assert_array_equal(sized[:, :frames], clip.spec)
    assert (sized[:, frames:] < clip.spec.mean() - 1).all()  # 0 is the mean of a clip
    assert (sized[:, frames:] <= clip.spec.min()).all()


def test_padding_with_the_mean_is_there_to_repeat_what_the_seed_study_did(
    corpus: Corpus,
) -> None:
    network = build(ModelConfig(name="resized", padding="mean"), 2, 128)
    (clip,) = Loader(Recipe(), corpus.emotions).load(corpus.utterances[:1])
    sized = resize(clip, network)
    np.testing.assert_allclose(sized[:, clip.spec.shape[1] :], 0, atol=1e-6)


def test_a_resized_network_gets_long_clips_interpolated_in_time() -> None:
    rng = np.random.default_rng(0)
    (clip,) = fake_clips([700])
    clip = replace(clip, spec=rng.standard_normal((8, 700)).astype(np.float32))
    # The middle of frame i of 256 lies at (i + 1/2) 700/256 - 1/2 of the old frames.
    places = (np.arange(256) + 0.5) * 700 / 256 - 0.5
    expected = [np.interp(places, np.arange(700), band) for band in clip.spec]
    np.testing.assert_allclose(resize(clip, RESIZED), expected, atol=1e-4)


@pytest.mark.parametrize("frames", [256, 257, 255])
def test_around_its_own_size_a_resized_network_changes_little(frames: int) -> None:
    (clip,) = fake_clips([frames])
    sized = resize(clip, RESIZED)
    assert sized.shape == (8, 256)
    assert (sized[:, :255] == 1).all()


def test_a_network_of_any_length_takes_clips_as_they_are() -> None:
    (clip,) = fake_clips([999])
    assert resize(clip, VARIABLE) is clip.spec


def test_a_batch_holds_clips_padded_with_their_own_silence() -> None:
    clips = fake_clips([6, 9, 5], labels=[2, 0, 1])
    batch = collate(clips, VARIABLE)
    assert batch.inputs.shape == (3, 1, 8, 9)
    assert batch.inputs.dtype == torch.float32
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last)
    assert batch.lengths.tolist() == [6, 9, 5]
    assert batch.targets.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    for number, (row, length) in enumerate(zip(batch.inputs, (6, 9, 5), strict=True), 1):
        assert (row[..., :length] == number).all()
        assert (row[..., length:] == -number).all()


# Batches


@pytest.mark.parametrize("size", [1, 4, 32, 500])
def test_every_clip_comes_exactly_once_an_epoch(size: int) -> None:
    rng = np.random.default_rng(0)
    clips = fake_clips(rng.integers(4, 40, 101).tolist())
    batches = epoch(clips, recipe_of(batch_size=size))
    assert sorted(numbers(batches)) == list(range(1, 102))
    sizes = [len(batch.lengths) for batch in batches]
    assert sorted(sizes, reverse=True)[:-1] == [size] * (len(batches) - 1)
    assert len(batches) == -(-101 // size)


def test_clips_of_like_length_share_a_batch_so_that_little_is_padding() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(30, 400, 500)

    def padding(bucket: bool) -> float:
        groups = plan(lengths, 16, bucket, np.random.default_rng(1))
        whole = sum(lengths[group].max() * len(group) for group in groups)
        return float(1 - lengths.sum() / whole)

    assert padding(bucket=False) > 0.3
    assert padding(bucket=True) < 0.12


def test_buckets_come_in_random_order_and_differ_from_epoch_to_epoch() -> None:
    lengths = np.random.default_rng(0).integers(30, 400, 320)
    first, second = (plan(lengths, 16, True, np.random.default_rng(seed)) for seed in (1, 2))
    means = [float(lengths[group].mean()) for group in first]
    assert means != sorted(means)
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.6
    assert {frozenset(g.tolist()) for g in first} != {frozenset(g.tolist()) for g in second}


def test_batch_size_1_goes_through_the_clips_in_random_order() -> None:
    clips = fake_clips(range(4, 54))
    first, second = (numbers(epoch(clips, recipe_of(batch_size=1), seed)) for seed in (1, 2))
    assert first != sorted(first)
    assert first != second


def test_an_epoch_follows_from_its_generator() -> None:
    clips = fake_clips(range(4, 54))
    augment = AugmentConfig(crop=9, masks_each_epoch=True, mask_probability=1.0, mixup=0.4)
    recipe = recipe_of(augment, batch_size=7, balance="sampling")
    first, again, other = (epoch(clips, recipe, seed) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.targets, b.targets)
        assert torch.equal(a.lengths, b.lengths)
    assert not torch.equal(first[0].inputs[..., 0], other[0].inputs[..., 0])


def test_balanced_sampling_shows_every_class_as_often() -> None:
    labels = [0] * 700 + [1] * 250 + [2] * 50
    clips = fake_clips([4] * 1000, labels)
    batches = epoch(clips, recipe_of(batch_size=50, balance="sampling"))
    counts = torch.cat([batch.targets for batch in batches]).sum(0)
    assert counts.sum() == 1000
    assert ((counts - 1000 / 3).abs() < 60).all()  # four standard deviations
    assert len(set(numbers(batches))) > 400


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_without_sampling_classes_come_as_they_are(balance: Any) -> None:
    clips = fake_clips([4] * 20, [0] * 15 + [2] * 5)
    batches = epoch(clips, recipe_of(batch_size=6, balance=balance))
    assert torch.cat([batch.targets for batch in batches]).sum(0).tolist() == [15, 0, 5]


def test_evaluation_batches_have_every_clip_once_with_its_place() -> None:
    lengths = np.random.default_rng(0).integers(4, 90, 53).tolist()
    clips = fake_clips(lengths)
    seen: list[int] = []
    for places, batch in evaluation_batches(clips, VARIABLE):
        assert len(places) <= data.EVALUATION_BATCH
        assert [n - 1 for n in numbers([batch])] == places
        assert batch.lengths.tolist() == [lengths[place] for place in places]
        seen += places
    assert sorted(seen) == list(range(53))
    assert [lengths[place] for place in seen] == sorted(lengths)


def test_resized_clips_fill_their_batches_without_padding() -> None:
    clips = fake_clips([10, 300, 256, 40])
    for batch in epoch(clips, recipe_of(batch_size=3), network=RESIZED):
        assert batch.inputs.shape[1:] == (1, 8, 256)
        assert (batch.lengths == 256).all()


# Changes drawn each epoch


def test_a_crop_is_of_a_random_place_of_the_clip() -> None:
    (clip,) = fake_clips([100])
    clip = replace(clip, spec=np.tile(np.arange(100, dtype=np.float32), (8, 1)))
    positions = set()
    for seed in range(200):
        (batch,) = epoch([clip], recipe_of(AugmentConfig(crop=30)), seed)
        assert batch.lengths.tolist() == [30]
        first = int(batch.inputs[0, 0, 0, 0])
        assert torch.equal(batch.inputs[0, 0, 3], torch.arange(first, first + 30.0))
        positions.add(first)
    assert (min(positions), max(positions)) == (0, 70)
    assert len(positions) > 50


def test_a_clip_shorter_than_the_crop_stays_whole() -> None:
    (batch,) = epoch(fake_clips([20]), recipe_of(AugmentConfig(crop=30)))
    assert (batch.inputs == 1).all()
    assert batch.lengths.tolist() == [20]


def test_position_jitter_moves_positions_and_changes_no_other_draw() -> None:
    network = build(ModelConfig("encoder", encoder="whisper-tiny.en", blocks=1), 3, 80)
    clips = fake_clips([20 + n for n in range(60)], bands=80)
    plain = AugmentConfig(crop=15, mask_probability=0.5, masks_each_epoch=True, mixup=0.2)
    moved = [
        epoch(clips, recipe_of(replace(plain, position_jitter=place), batch_size=2), 4, network)
        for place in (0, 9, 9)
    ]
    positions = [[batch.position for batch in batches] for batches in moved]
    assert set(positions[0]) == {0} and set(positions[1]) == {0, 1, 2, 3, 4}, (
        "encoder frames: 9 / 2"
    )
    assert positions[1] == positions[2]
    first, other = moved[0][0], moved[1][0]
    assert torch.equal(first.inputs, other.inputs) and torch.equal(first.targets, other.targets)


def test_masks_are_drawn_anew_each_epoch_where_the_recipe_says_so() -> None:
    augment = replace(MASKS, masks_each_epoch=True, frequency_mask=(2, 3))
    (clip,) = fake_clips([40])
    first, second = (epoch([clip], recipe_of(augment), seed)[0].inputs for seed in (1, 2))
    for found in (first, second):
        assert set(found.unique().tolist()) == {-1.0, 1.0}  # hidden cells are silent
    assert not torch.equal(first, second)
    assert (clip.spec == 1).all()


def test_fixed_masks_are_not_drawn_again() -> None:
    (batch,) = epoch(fake_clips([40]), recipe_of(MASKS))
    assert (batch.inputs == 1).all()


def test_mixed_clips_have_mixed_targets() -> None:
    clips = fake_clips([10, 20, 30, 40] * 4, [0, 1, 2, 1] * 4)
    (batch,) = epoch(clips, recipe_of(AugmentConfig(mixup=0.5), batch_size=16))
    torch.testing.assert_close(batch.targets.sum(1), torch.ones(16))
    assert ((batch.targets > 0).sum(1) <= 2).all()
    assert ((batch.targets > 0).sum(1) == 2).any()
    assert (batch.lengths >= 10).all()
    assert (batch.targets >= 0).all()
    torch.testing.assert_close(batch.targets.sum(0).sum(), torch.tensor(16.0))


def test_clips_are_not_mixed_unless_the_recipe_says_so() -> None:
    (batch,) = epoch(fake_clips([10, 10, 10], [0, 1, 2]), recipe_of(batch_size=3))
    assert sorted(numbers([batch])) == [1, 2, 3]
    assert sorted(batch.targets.argmax(1).tolist()) == [0, 1, 2]
    assert set(batch.targets.unique().tolist()) == {0, 1}


def test_a_clip_alone_in_its_batch_is_not_mixed() -> None:
    batches = epoch(fake_clips([10, 20]), recipe_of(AugmentConfig(mixup=0.5), batch_size=1))
    assert sorted(numbers(batches)) == [1, 2]


# Loading


def test_a_loaded_clip_is_the_front_ends_view_of_the_prepared_recording(corpus: Corpus) -> None:
    recipe = recipe_from({"features": "speech-64", "audio": {"level": "loudness"}})
    clips = Loader(recipe, corpus.emotions).load(corpus.utterances)
    front_end = FrontEnd(recipe.features)
    for utterance, clip in zip(corpus.utterances, clips, strict=True):
        wave = prepare(*decode(utterance.path), recipe.audio)
        spec, _, silence = front_end(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        assert clip.utterance == utterance
        assert corpus.emotions[clip.label] == utterance.emotion
        np.testing.assert_array_equal(clip.spec, spec[0].numpy())
        np.testing.assert_array_equal(clip.silence, silence[0].numpy())
        assert clip.spec.dtype == np.float32


def test_loading_reports_progress(corpus: Corpus) -> None:
    told: list[int] = []
    loader = Loader(recipe_of(replace(MASKS, copies=2)), corpus.emotions)
    loader.load(corpus.utterances[:3], told.append)
    loader.training(corpus.utterances[:3], tick=told.append)
    assert told == [1, 2, 3, 1, 2, 3, 4, 5, 6]


def test_two_corpora_may_name_their_files_alike(small_corpus: Callable[..., Path]) -> None:
    first = read_corpus(small_corpus()).utterances[0]
    twin = small_corpus().parent / "twin" / "1.wav"
    twin.parent.mkdir()
    shutil.copy(small_corpus() / "disgust" / "3_02.wav", twin)
    second = replace(first, path=twin, digest=content_digest(*decode(twin)))
    clips = Loader(Recipe(), CLASSES).load([first, second])
    lengths = [len(decode(u.path)[0]) for u in (first, second)]
    assert lengths[0] != lengths[1]
    assert [clip.spec.shape[1] for clip in clips] == [n // 512 + 1 for n in lengths]


# Only training clips are changed


@pytest.mark.parametrize("augment", [SOUND, MASKS, replace(SOUND, balanced=True)])
def test_validation_and_test_clips_are_never_changed(
    corpus: Corpus, augment: AugmentConfig
) -> None:
    plain = Loader(Recipe(), corpus.emotions).load(corpus.utterances)
    loader = Loader(recipe_of(augment), corpus.emotions)
    assert same(loader.load(corpus.utterances), plain)
    loader.training(corpus.utterances[:2])
    assert same(loader.load(corpus.utterances), plain)


def test_evaluation_batches_are_never_changed() -> None:
    clips = fake_clips([30, 12])
    ((_, batch),) = evaluation_batches(clips, VARIABLE)
    assert batch.lengths.tolist() == [12, 30]
    assert (batch.inputs[1] == 1).all()


def test_without_augmentation_training_clips_are_the_clips(corpus: Corpus) -> None:
    loader = Loader(Recipe(), corpus.emotions)
    assert same(loader.training(corpus.utterances), loader.load(corpus.utterances))


@pytest.mark.parametrize("augment", [SOUND, MASKS])
def test_the_artificial_set_has_the_originals_and_changed_copies(
    corpus: Corpus, augment: AugmentConfig
) -> None:
    few, copies = corpus.utterances[:3], augment.copies
    loader = Loader(recipe_of(augment), corpus.emotions)
    clips = loader.training(few)
    assert len(clips) == copies * len(few)
    assert same(clips[::copies], loader.load(few))
    for start in range(0, len(clips), copies):
        group = clips[start : start + copies]
        assert len({clip.spec.tobytes() for clip in group}) == copies  # all different
        assert len({clip.utterance for clip in group}) == 1
        assert len({clip.label for clip in group}) == 1


@pytest.mark.parametrize("augment", [SOUND, MASKS])
def test_a_clip_has_the_same_copies_in_every_fold_and_after_a_restart(
    corpus: Corpus, augment: AugmentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(replace(augment, copies=2))
    a, b, c = corpus.utterances[:3]
    first = Loader(recipe, corpus.emotions).training([a, b])
    cached = Loader(recipe, corpus.emotions).training([b, c])
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "elsewhere"))  # nothing to read from
    fresh = Loader(recipe, corpus.emotions).training([c, b])
    assert same(first[2:], cached[:2])
    assert same(cached[:2], fresh[2:])
    assert same(cached[2:], fresh[:2])


def test_another_seed_makes_other_copies_of_the_same_originals(corpus: Corpus) -> None:
    few, recipe = corpus.utterances[:2], recipe_of(replace(SOUND, copies=2))
    first, second = (Loader(recipe, corpus.emotions, seed).training(few) for seed in (0, 1))
    assert same(first[::2], second[::2])
    assert not np.array_equal(first[1].spec, second[1].spec)


def test_a_balanced_set_has_as_many_clips_of_every_class(corpus: Corpus) -> None:
    anger = [u for u in corpus.utterances if u.emotion == "anger"]
    rare = [u for u in corpus.utterances if u.emotion == "disgust"][:2]
    recipe = recipe_of(replace(MASKS, copies=1, balanced=True))
    clips = Loader(recipe, corpus.emotions).training([*anger, *rare])
    assert Counter(clip.label for clip in clips) == {0: 6, 1: 6}
    plain = Loader(Recipe(), corpus.emotions).load([*anger, *rare])
    originals = [c for c in clips if any(np.array_equal(c.spec, p.spec) for p in plain)]
    assert len(originals) == 8


# The cache


def test_what_was_made_once_is_read_from_the_cache(corpus: Corpus, made: list[str]) -> None:
    recipe = recipe_of(replace(SOUND, copies=2))
    first = Loader(recipe, corpus.emotions).training(corpus.utterances[:3])
    assert len(made) == 6
    made.clear()
    second = Loader(recipe, corpus.emotions).training(corpus.utterances[:3])
    assert not made
    assert same(first, second)


def test_a_recording_replaced_since_the_corpus_was_read_is_refused_and_nothing_kept(
    corpus: Corpus, tmp_path: Path
) -> None:
    recipe = recipe_of(replace(SOUND, copies=2))
    first, other = corpus.utterances[0], corpus.utterances[-1]
    put_away = shutil.copy2(first.path, tmp_path / "put away.wav")
    shutil.copy2(other.path, first.path)
    for load in (Loader.load, Loader.training):
        with pytest.raises(AudioError, match=rf"{re.escape(first.id)}: has changed since"):
            load(Loader(recipe, corpus.emotions), [first])
    assert read_corpus(corpus.root).digest != corpus.digest
    shutil.copy2(put_away, first.path)
    assert read_corpus(corpus.root) == corpus
    (clip,) = Loader(recipe, corpus.emotions).load([first])
    wave = prepare(*decode(put_away), recipe.audio)
    spec, _, _ = FrontEnd(recipe.features)(torch.tensor(wave)[None], torch.tensor([len(wave)]))
    np.testing.assert_array_equal(clip.spec, spec[0].numpy())


def test_these_are_all_settings_of_audio_and_features() -> None:
    assert set(CHANGED_AUDIO) == {f.name for f in fields(AudioConfig)}
    assert set(CHANGED_FEATURES) == {f.name for f in fields(FeatureConfig)}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_setting_never_reads_a_stale_entry(
    change: dict[str, Any], corpus: Corpus, made: list[str]
) -> None:
    base = {"features": {"kind": "mfcc"}} if "mfccs" in change.get("features", {}) else {}
    loader, changed = (Loader(recipe_from(given), corpus.emotions) for given in (base, change))
    utterance = corpus.utterances[0]
    loader.load([utterance])
    made.clear()
    (clip,) = changed.load([utterance])
    assert made == ["made"]
    assert loader.key(utterance) != changed.key(utterance)
    wave = prepare(*decode(utterance.path), changed.recipe.audio)
    ends = torch.tensor([len(wave)])
    fresh = FrontEnd(changed.recipe.features)(torch.from_numpy(wave)[None], ends)[0]
    np.testing.assert_array_equal(clip.spec, fresh[0].numpy())


@pytest.mark.parametrize(
    "change",
    [
        {"probability": 0.7},
        {"noise_snr_db": (5.0, 6.0)},
        {"pitch_semitones": (1.0, 2.0)},
        {"stretch_rate": (1.1, 1.2)},
        {"room": True},
    ],
    ids=str,
)
def test_copies_of_other_sound_have_other_entries(corpus: Corpus, change: dict[str, Any]) -> None:
    utterance = corpus.utterances[0]
    first, second = (
        Loader(recipe_of(augment), corpus.emotions)
        for augment in (AugmentConfig(copies=2), AugmentConfig(copies=2, **change))
    )
    assert first.key(utterance) == second.key(utterance)  # the clip itself is shared
    assert first.key(utterance, 1) != second.key(utterance, 1)


def test_every_setting_of_augmentation_is_known_to_the_cache() -> None:
    # Those that change a copy's waveform are tested above; these come after the cache.
    waveform = {"probability", "noise_snr_db", "pitch_semitones", "stretch_rate", "room"}
    waveform |= {"speed_rate", "reverberation_s", "babble_snr_db", "transmission"}
    later = {
        "copies",
        "balanced",
        "mask_probability",
        "mask_fill",
        "frequency_mask",
        "time_mask",
        "masks_each_epoch",
        "spec_augment",
        "mixup",
        "crop",
        "position_jitter",
    }
    assert waveform | later == {f.name for f in fields(AugmentConfig)}


def test_cache_keys_differ_by_sound_copy_and_seed(corpus: Corpus) -> None:
    a, b = corpus.utterances[:2]
    loader, other = (Loader(recipe_of(SOUND), corpus.emotions, seed) for seed in (0, 1))
    keys = [loader.key(a), loader.key(a, 1), loader.key(a, 2), loader.key(b), loader.key(b, 1)]
    assert len({*keys, other.key(a, 1)}) == 6
    assert other.key(a) == loader.key(a)
    assert loader.key(replace(a, id="moved.wav", path=Path("moved.wav"))) == loader.key(a)


def test_recipes_that_differ_in_augmentation_share_the_originals(
    corpus: Corpus, made: list[str]
) -> None:
    Loader(Recipe(), corpus.emotions).load(corpus.utterances)
    made.clear()
    Loader(recipe_of(MASKS, lr=0.5), corpus.emotions, seed=3).load(corpus.utterances)
    assert not made


def test_masks_are_laid_over_what_the_cache_keeps(corpus: Corpus, made: list[str]) -> None:
    few = corpus.utterances[:1]
    wide = replace(MASKS, frequency_mask=(40, 50))
    first, second = (
        Loader(recipe_of(augment), corpus.emotions).training(few) for augment in (MASKS, wide)
    )
    assert len(made) == 3
    assert same(first[:1], second[:1])
    assert not np.array_equal(first[1].spec, second[1].spec)
    fresh = Loader(recipe_of(replace(MASKS, mask_probability=0.0)), corpus.emotions).training(few)
    hidden = first[1].spec != fresh[1].spec
    assert hidden.any()
    assert (first[1].spec[hidden] == first[1].silence.repeat(hidden.sum(1))).all()


def test_a_masked_copy_has_a_cache_key_of_its_own(corpus: Corpus) -> None:
    few = corpus.utterances[:1]
    wide = replace(MASKS, frequency_mask=(40, 50))
    drawn = replace(MASKS, masks_each_epoch=True)
    none = replace(MASKS, mask_probability=0.0)
    keys = [
        [clip.key for clip in Loader(recipe_of(augment), corpus.emotions).training(few)]
        for augment in (MASKS, wide, drawn, none)
    ]
    assert len({own[0] for own in keys}) == 1  # the clip itself is the same
    assert len({own[1] for own in keys[:3]}) == 3
    assert keys[2] == keys[3]


@pytest.mark.parametrize("damage", [b"", b"not an array", b"\x93NUMPY\x01\x00 cut short"])
def test_a_damaged_entry_is_made_again(
    corpus: Corpus, made: list[str], tmp_path: Path, damage: bytes
) -> None:
    loader = Loader(Recipe(), corpus.emotions)
    first = loader.load(corpus.utterances[:1])
    (entry,) = (tmp_path / "cache" / "features").iterdir()
    entry.write_bytes(damage)
    made.clear()
    assert same(loader.load(corpus.utterances[:1]), first)
    assert same(loader.load(corpus.utterances[:1]), first)
    assert len(made) == 1


def test_a_cache_that_cannot_be_written_costs_only_time(
    corpus: Corpus, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path / "a file"))
    loader = Loader(Recipe(), corpus.emotions)
    assert same(loader.load(corpus.utterances[:2]), loader.load(corpus.utterances[:2]))
    assert len(made) == 4


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_clips_of_any_rate_are_learnt_from_as_they_will_be_answered(
    tmp_path: Path, rate: int
) -> None:
    """A tone of 1 kHz lies in the band of 1 kHz, and a second of it has as many frames."""
    specs = {}
    for name, hz in (("own", rate), ("usual", 16_000)):
        folder = tmp_path / name / "fear"
        folder.mkdir(parents=True)
        time = np.arange(hz) / hz
        soundfile.write(folder / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), hz)
        (clip,) = Loader(Recipe("r"), ("fear",)).load(read_corpus(tmp_path / name).utterances)
        specs[name] = clip.spec
    own, usual = specs["own"], specs["usual"]
    assert abs(own.shape[1] - usual.shape[1]) <= 1
    inside = slice(10, min(own.shape[1], usual.shape[1]) - 10)
    assert (own[:, inside].argmax(0) == usual[:, inside].argmax(0)).all()
    top = usual[:, inside].max(1).argsort()[-3:]
    np.testing.assert_allclose(own[top, inside], usual[top, inside], atol=0.05)
