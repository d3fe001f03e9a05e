"""The models that come with emelia, and a server of them, from Python.

from emelia import models, serve

models().to_frame()
serve("default")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from emelia.config import Card
from emelia.table import data_frame
from emelia.use.bundled import find_model, shipped
from emelia.use.model import read_card


class Models(Mapping[str, Card]):
    """The cards of models by name, first of those that are most often right on other corpora."""

    def __init__(self, cards: Mapping[str, Card]) -> None:
        self._cards = ordered(cards)

    def __getitem__(self, name: str) -> Card:
        return self._cards[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {card.title}" for name, card in self.items())

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each model; figures are shares with their interval.

        `unseen` is what trainings that left the corpora out got on them: expect no more of your
        own recordings. `own` is the test on new speakers of the model's own corpora.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        columns = [
            "name", "unseen_uar", "unseen_uar_low", "unseen_uar_high", "unseen_clips", "own_uar",
            "own_uar_low", "own_uar_high", "own_clips", "chance", "emotions", "corpora", "licence",
        ]  # fmt: skip
        return data_frame(columns, [_row(name, card) for name, card in self.items()])


def models() -> Models:
    """The cards of the models that come with emelia, by name.

    Raises:
        ModelError: one of them is damaged.
    """
    return Models({name: read_card(path) for name, path in shipped().items()})


def model_card(model: str | Path) -> Card:
    """The card of a model that comes with emelia, or a file: emotions, corpora, figures, licence.

    Raises:
        ModelError: there is no such model, or it is damaged.
    """
    return read_card(find_model(model))


def serve(
    *models: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] | None = None,
    **settings: Any,
) -> None:
    """Serve a page and a REST and WebSocket interface until SIGINT or SIGTERM, as `emelia serve`.

    Args:
        models: names or files of models, of which the first answers if none is asked for;
            `default` by default.
        host: address to listen on; 0.0.0.0 lets other machines in.
        port: 0 takes a free one.
        on_ready: called with the address once connections are taken.
        settings: the other options of `emelia serve` by name, such as `token` or `max_seconds`.

    Raises:
        TypeError: a setting that does not exist.
        ConfigError: a setting that cannot be.
        ModelError: a model is not there.
        EmeliaError: the address cannot be listened on.
        MissingExtraError: the extra `serve` is not installed.
    """
    from emelia.use.server import ServerSettings, create_app
    from emelia.use.server import serve as run

    asked = tuple(map(str, models)) or ("default",)
    chosen = ServerSettings(models=asked, host=host, port=port, **settings)
    run(create_app(chosen), chosen, on_ready)


def ordered(cards: Mapping[str, Card]) -> dict[str, Card]:
    """First those that are right most often on corpora never heard; last those not asked."""
    _, means = side_by_side(cards)

    def place(name: str) -> tuple[float, float]:
        test = _test(cards[name]).get("uar")
        return -means.get(name, -1.0), -(test[0] if isinstance(test, list) and test else -1.0)

    return {name: cards[name] for name in sorted(cards, key=place)}


def side_by_side(cards: Mapping[str, Card]) -> tuple[list[str], dict[str, float]]:
    """Figures that may be compared: some corpora are easier, and not all models were asked alike.

    Returns:
        The corpora never heard that all models were asked about of which there are such figures,
        and the mean over these corpora of each model's UAR.
    """
    asked = {
        name: {corpus: own["uar"][0] for corpus, own in told.items()}
        for name, card in cards.items()
        if isinstance(told := card.expected.get("per_corpus"), Mapping)
    }
    shared = sorted(set.intersection(*map(set, asked.values()))) if asked else []
    if not shared:
        return [], {}
    return shared, {name: fmean(own[one] for one in shared) for name, own in asked.items()}


def _test(card: Card) -> Mapping[str, Any]:
    found = card.metrics.get("test")
    return found if isinstance(found, Mapping) else {}


def _row(name: str, card: Card) -> list[Any]:
    own, test = card.expected, _test(card)
    shares = [[*(one.get("uar") or [None] * 3), one.get("clips")] for one in (own, test)]
    corpora = ", ".join(str(dict(one).get("name", "?")) for one in card.corpora)
    chance = 1 / len(card.labels)
    return [name, *shares[0], *shares[1], chance, ", ".join(card.labels), corpora, card.licence]
