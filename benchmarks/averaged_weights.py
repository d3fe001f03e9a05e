"""Make one network of several that began alike: the mean of their weights, as a run folder.

    python benchmarks/averaged_weights.py RUN [RUN ...] [--pretrained SHARE] --out FOLDER

Fine-tunings of one pre-trained encoder, with other seeds, often lie in one valley, where the mean
of their weights is a better network than each (model soups, Wortsman et al. 2022). It costs what
one costs. So may lie, for other speech, what is between a fine-tuned encoder and what it was before
(WiSE-FT, Wortsman et al. 2022). Go on from it with `--from FOLDER`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from emelia import console
from emelia.learn.beginning import begin, stands_in
from emelia.learn.encoders import has_weights
from emelia.learn.models import Encoder
from emelia.learn.runs import Run, load_run, save_run


def mean_of(runs: list[Run]) -> Run:
    """A run whose weights are the mean of others' and that has heard what they have.

    Raises:
        SystemExit: they are of other recipes or classes.
    """
    first = runs[0]
    for run in runs[1:]:
        if (run.recipe.digest, run.classes) != (first.recipe.digest, first.classes):
            raise SystemExit("The runs are of different recipes or classes: name runs of one.")
    states = [run.network.state_dict() for run in runs]
    mean = {key: torch.stack([s[key].float() for s in states]).mean(0) for key in states[0]}
    first.network.load_state_dict(mean)
    heard = sorted({digest for run in runs for digest in run.about["heard"]})
    return Run(first.recipe, first.classes, first.network, {**first.about, "heard": heard})


def back(run: Run, share: float) -> Run:
    """A run whose encoder has gone back by a share of the way to its pre-trained weights.

    Raises:
        SystemExit: it has no pre-trained encoder.
    """
    model, network = run.recipe.model, run.network
    if not isinstance(network, Encoder) or stands_in(model) or not has_weights(model.encoder):
        raise SystemExit("These runs have no pre-trained encoder: leave out --pretrained.")
    before = begin(run.recipe, run.classes).state_dict()
    for key, value in network.encoder.state_dict().items():
        value.lerp_(before[f"encoder.{key}"], share)
    return run


def main() -> None:
    """Read the options and write the folder."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("runs", nargs="+", type=Path)
    options.add_argument("--pretrained", type=float, default=0.0, help="share of what was before")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    made = mean_of([load_run(folder) for folder in chosen.runs])
    if chosen.pretrained:
        made = back(made, chosen.pretrained)
    chosen.out.mkdir(parents=True, exist_ok=True)
    save_run(chosen.out, made.recipe, made.classes, made.network, [], made.about)
    console.say(f"{len(chosen.runs)} runs as one: {chosen.out}")


if __name__ == "__main__":
    main()
