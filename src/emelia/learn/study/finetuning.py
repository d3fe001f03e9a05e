"""Fine-tuning: training a model further on a few other recordings.

The recipe is that of the model with fewer epochs and a smaller learning rate, so that little is
forgotten. Clips that the model has seen are left out: it could not be tested with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Literal

from emelia.config import Recipe, all_settings, recipe_from
from emelia.config.fields import KEEP
from emelia.corpora import Corpus, Utterance
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import make_split
from emelia.errors import CorpusError, SplitError

EPOCHS = 6  # at most; with an encoder, the first is that of a solved linear layer
SHARE = 0.3  # of the recipe's learning rate
STEPS = 25  # of an epoch at least, so that few clips come in small batches
SMALLEST = 4  # clips of a batch
ENCODER_CLIPS = 1000  # from which on an encoder whose layer is solved is trained after it
ENOUGH = 20  # clips a class; with fewer, figures are mostly chance
FEWEST = 3  # clips a class: to train, to validate and to test
_SPEAKERS_SHARED = ("random-75-25", "founding-70-20-10")


def finetuning_recipe(
    recipe: Recipe,
    model: str,
    clips: Sequence[Utterance],
    settings: Sequence[str] = (),
    *,
    prior: bool = False,
) -> Recipe:
    """The recipe for fine-tuning a model.

    Args:
        model: the name of its recipe, so that no folder's name enters the digest.
        clips: for training; if classes are of unequal size, they are drawn equally often.
        settings: changes as `key=value`.
        prior: whether the model has a linear layer that the new one can be drawn towards; see
            `init.initial_linear_layer`.

    Raises:
        ConfigError: a setting does not exist, or its value does not fit.
    """
    balanced = len(set(Counter(u.emotion for u in clips).values())) == 1
    train = replace(
        recipe.train,
        epochs=1 if prior and len(clips) < ENCODER_CLIPS else min(recipe.train.epochs, EPOCHS),
        lr=SHARE * recipe.train.lr,
        batch_size=min(recipe.train.batch_size, max(SMALLEST, len(clips) // STEPS)),
        balance="none" if balanced else "sampling",
        penalty=_penalty(recipe, prior),
    )
    made = Recipe(
        f"{model}, fine-tuned", audio=recipe.audio, features=recipe.features,
        augment=recipe.augment, model=recipe.model, train=train,
    )  # fmt: skip
    values = asdict(made)
    for key, about in all_settings(Recipe):
        part, _, name = key.partition(".")
        if about.finetune is not KEEP:
            values[part][name] = about.finetune
    return recipe_from(values, settings)


def _penalty(recipe: Recipe, prior: bool) -> Literal["chosen", "averaged", "prior"]:
    if recipe.model.name != "encoder":
        return "chosen"
    # Without a layer to start from few speakers would choose a penalty by chance.
    return "prior" if prior else "averaged"


def unseen(corpus: Corpus, seen: Collection[str]) -> Corpus:
    """The clips of a corpus that a model has not seen.

    Args:
        seen: digests of those that it has.

    Raises:
        CorpusError: none is left.
    """
    kept = _without(corpus, seen)
    if not kept.utterances:
        raise CorpusError(
            f"{corpus.name}: the model has seen all of its {len(corpus.utterances)} clips, so "
            "there is nothing new to learn. Give it other recordings, or train on these anew "
            "with `emelia train`."
        )
    return kept


def _without(corpus: Corpus, seen: Collection[str]) -> Corpus:
    kept = tuple(u for u in corpus.utterances if u.digest not in seen)
    parts = tuple(_without(part, seen) for part in corpus.parts)
    return replace(corpus, utterances=kept, parts=parts)


def check_sizes(corpus: Corpus) -> list[str]:
    """Classes that have few clips, in words; none where all have enough.

    Raises:
        CorpusError: there is a single class, or one has too few clips to train, validate and
            test with.
    """
    counts = corpus.counts()
    usable = [name for name in corpus.emotions if counts[name] >= FEWEST]
    if len(usable) < len(counts) or len(usable) < 2:
        few = ", ".join(f"{counts[e]} of {e}" for e in corpus.emotions if e not in usable)
        got = f"too few clips ({few})" if few else f"the single class {usable[0]}"
        remedy = f", or leave them out: --emotions {','.join(usable)}" if len(usable) > 1 else ""
        raise CorpusError(
            f"{corpus.name}: {got}; expected two classes or more, each of {FEWEST} clips at "
            f"least and better {ENOUGH}. Record more{remedy}."
        )
    return [f"{counts[name]} of {name}" for name in corpus.emotions if counts[name] < ENOUGH]


def usual_split(corpus: Corpus) -> str:
    """Name of a split: speaker-disjoint where three or more are known with all classes, or random.

    Raises:
        SplitError: no split leaves some clips of each class to train, validate and test with.
    """
    speakers = 0 if UNKNOWN_SPEAKER in corpus.speakers else min(5, len(corpus.speakers))
    apart = [f"folds-{count}" for count in range(speakers, 2, -1)]
    for name in (*apart, *_SPEAKERS_SHARED):
        try:
            return make_split(corpus, name).name
        except SplitError:
            continue
    raise SplitError(
        f"{corpus.name}: {len(corpus.utterances)} clips of {len(corpus.emotions)} classes are too "
        f"few to train, validate and test with; some {ENOUGH} clips a class are enough. "
        "Record more, or choose fewer classes with --emotions."
    )
