"""The card of a model file, made from its run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from emelia.config import Card, Recipe
from emelia.corpora import CORPORA
from emelia.learn.export.calibrate import Calibration
from emelia.learn.export.card_figures import figures
from emelia.learn.export.temperature import Answers
from emelia.learn.model.encoders import KNOWN
from emelia.learn.model.network import parameters
from emelia.learn.training.runs import Run
from emelia.learn.training.source_space import SourceSpace
from emelia.source_offset import usual_prior
from emelia.text import listed

_FREE = re.compile(r"(CC0|CC BY(-SA)? \d|MIT\b|Apache-2\.0|public domain)", re.IGNORECASE)


def make_card(
    run: Run,
    answers: Mapping[str, Answers],
    calibration: Mapping[str, Calibration],
    *,
    name: str,
    title: str = "",
    licence: str = "",
) -> Card:
    """Make a card, as yet without parity check and settings."""
    corpora, usual = corpora_of(run.about), calibration["validation"]
    return Card(
        name=name,
        labels=run.classes,
        features=run.recipe.features,
        audio=run.recipe.audio,
        temperature=usual.temperature,
        threshold=usual.threshold.limit,
        threshold_rule=usual.threshold.rule,
        thresholds=usual.threshold.own,
        title=title or _usual_title(run, corpora),
        recipe=run.recipe.name,
        recipe_digest=run.recipe.digest,
        parameters=parameters(run.network),
        licence=" ".join(
            filter(None, (licence or usual_licence(corpora), _encoder_licence(run.recipe)))
        ),
        corpora=corpora,
        split=_split(run.about),
        unchanged=str(run.about.get("unchanged", "")),
        metrics={
            part: figures(given, run.classes, own.temperature, own.threshold.limits)
            for part, given in answers.items()
            for own in [calibration[part]]
        },
        versions={**run.about.get("versions", {}), **_versions("onnx", "onnxruntime")},
        commit=_commit(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def adaptation_of(
    space: SourceSpace, classes: Sequence[str], calibration: Calibration
) -> dict[str, Any]:
    """What a card tells of a source space: the rest stands in the graph."""
    return {
        "means": [[float(f"{value:.6g}") for value in row] for row in space.means.tolist()],
        "variances": [float(f"{value:.6g}") for value in space.variances.tolist()],
        "prior": usual_prior(classes).tolist(),
        "temperature": calibration.temperature,
        "threshold": calibration.threshold.limit,
        "thresholds": dict(calibration.threshold.own),
    }


def corpora_of(about: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What is known of the corpora of a run: from run.json, or from the catalogue by name.

    Those of its initial run and of its teacher come last, as its weights depend on them, too. A
    network that fine-tuning left unchanged depends on them alone.
    """
    names = [name for name in str(about.get("corpus", "")).split("+") if name]
    own = [dict(corpus) for corpus in about.get("corpora") or map(_known, names)]
    own = [] if about.get("unchanged") else own
    runs = (about.get(key, {}) for key in ("start", "teacher"))
    earlier = [dict(corpus) for run in runs for corpus in run.get("corpora", ())]
    return tuple({corpus["name"]: corpus for corpus in (*own, *earlier, *own)}.values())


def _known(name: str) -> dict[str, Any]:
    spec = CORPORA.get(name)
    if spec is None:
        return {"name": name}
    facts = {key: getattr(spec, key) for key in ("title", "language", "licence", "clips")}
    return {"name": name, **facts, "home": spec.homepage}


def usual_licence(corpora: tuple[Mapping[str, Any], ...]) -> str:
    """What the licences of the corpora allow for weights trained on them."""
    terms = "; ".join(f"{c['name']} ({c.get('licence') or 'licence unknown'})" for c in corpora)
    if corpora and all(_FREE.match(str(c.get("licence", ""))) for c in corpora):
        return f"The data sets no limits beyond its own licences: {terms}."
    limits = [c for c in corpora if c.get("licence") and not _FREE.match(str(c["licence"]))]
    if all(c["name"] == "demo" for c in limits):  # made on the spot, and nobody's voice
        return f"Not known; name it with --licence. The data: {terms or 'unknown'}."
    return f"Research and non-commercial use, because of the data: {terms}."


def _encoder_licence(recipe: Recipe) -> str:
    """The copyright notice that the licence of a pre-trained encoder asks for."""
    encoder = KNOWN.get(recipe.model.encoder)
    return f"Begun with {recipe.model.encoder}, {encoder.licence}." if encoder else ""


def _usual_title(run: Run, corpora: tuple[Mapping[str, Any], ...]) -> str:
    languages = list(dict.fromkeys(str(c["language"]) for c in corpora if c.get("language")))
    spoken = f"{listed(languages)} speech" if languages else "speech"
    return f"{len(run.classes)} emotions in {spoken}"


def without_folders(split: str) -> str:
    """A split's name without the folders of its list of speakers, which are of one machine."""
    kind, colon, path = split.partition(":")
    return f"{kind}{colon}{Path(path).name}" if colon else split


def _split(about: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: about[key] for key in ("split", "protocol", "fold", "seed") if key in about}
    kept["name"] = without_folders(kept.pop("split", ""))
    return {**kept, "clips": {part: len(ids) for part, ids in about.get("parts", {}).items()}}


def _versions(*packages: str) -> dict[str, str]:
    return {package: metadata.version(package) for package in packages}


def _commit() -> str:
    """The last commit of the source this runs from; empty where it is not run from one."""
    folder = Path(__file__).parents[2]
    # Asked for this folder's own history: one installed inside another project has none.
    command = ["git", "-C", str(folder), "log", "-1", "--format=%H", "--", "."]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
