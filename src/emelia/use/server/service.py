"""What the requests of one server share: models, jobs, decoders, counters."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from emelia.audio.sandbox import Sandbox
from emelia.errors import ConfigError, ModelError
from emelia.use.adaptation.named import NamedSources
from emelia.use.adaptation.profile import read_profile
from emelia.use.adaptation.source import SourceProfile
from emelia.use.bundled import find_model
from emelia.use.model import Model
from emelia.use.recognizer import LONGEST, Recognizer
from emelia.use.server.errors import RequestError
from emelia.use.server.jobs import Jobs
from emelia.use.server.metrics import Metrics
from emelia.use.server.settings import ServerSettings

Result = TypeVar("Result")
_SOURCE = re.compile(r"[\w.-]{1,64}")


class Service:
    """The shared state of a server.

    Raises:
        ModelError: a model is missing, damaged or foreign.
        ConfigError: two models have one name, or this system cannot fork.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.models = _load(settings.models)
        self._known = _profiles(settings.source, self.models)
        self._sources = NamedSources(settings.max_sources, 3600 * settings.source_hours)
        self.metrics = Metrics(settings.process, settings.metrics_folder)
        self.jobs = Jobs(settings.max_jobs, settings.queue, self.metrics)
        self.sandbox = Sandbox(settings.decoder_mb)
        self.stopping = asyncio.Event()
        self._patience: set[asyncio.Timeout] = set()
        self._live = 0
        self._live_pool = ThreadPoolExecutor(settings.max_jobs, "live")
        self._tasks: set[asyncio.Task[None]] = set()

    def recognizer(
        self, model: str | None, emotions: str, threshold: float | None = None
    ) -> Recognizer:
        """A recognizer with the options of a request; it shares the network of its model.

        Raises:
            RequestError: no such model.
            ConfigError: emotions or a threshold that the model does not have.
        """
        name = model or next(iter(self.models))
        if name not in self.models:
            raise RequestError(
                404, f"model {name[:60]!r}: not served here; there are: {', '.join(self.models)}."
            )
        # A recognizer is options around a network, so that one for each request costs nothing.
        wanted = [word.strip() for word in emotions.split(",") if word.strip()]
        return Recognizer(
            self.models[name], emotions=wanted or None, threshold=threshold,
            source=self._known.get(name),
        )  # fmt: skip

    def used_to(
        self, recognizer: Recognizer, client: str, source: str, upload: bytearray | None = None
    ) -> Recognizer:
        """A recognizer that gets used to a source which a client names; the same without a name.

        Args:
            client: its address; a source is its own.
            upload: the recording, of which the source learns once; None for live sound.

        Raises:
            RequestError: 422, a name or a model that does not do.
        """
        if not source:
            return recognizer
        if not _SOURCE.fullmatch(source):
            raise RequestError(
                422, f"source {source[:40]!r}: expected 1 to 64 letters, digits, dots or hyphens."
            )
        try:
            if self.settings.process:
                raise RequestError(
                    422, "source: this server has several processes, and none knows what another "
                    "has heard. Leave it out, or ask a server with one (--workers 1).",
                )  # fmt: skip
            named = self._sources.get(client, source, recognizer.card, recognizer.source)
        except ModelError as error:
            raise RequestError(422, str(error)) from None
        learns = upload is None or named.is_new(upload)
        return recognizer.used_to(named.profile, float(learns))

    def name_of(self, model: str | None) -> str:
        """The name of the model that answers where `model` is asked for."""
        return model or next(iter(self.models))

    def card(self, name: str) -> str:
        """The model card as text: the page that lies beside the file, else the card inside it.

        Raises:
            RequestError: no such model.
        """
        if name not in self.models:
            raise RequestError(404, f"model {name[:60]!r}: not served here.")
        model = self.models[name]
        page = model.path.with_suffix(".md")
        if page.is_file():
            return page.read_text(encoding="utf-8")
        return json.dumps(asdict(model.card), ensure_ascii=False, indent=2)

    def describe(self) -> dict[str, Any]:
        """Models and limits, ready for JSON."""
        s = self.settings
        return {
            "models": [_described(name, model) for name, model in self.models.items()],
            "limits": {
                "max_mb": s.max_mb,
                "max_seconds": s.max_seconds,
                "max_clip_seconds": min(LONGEST, s.max_seconds),
                "max_jobs": s.max_jobs,
                "queue": s.queue,
                "timeout": s.timeout,
                "max_live": s.max_live,
                "live_seconds": s.live_seconds,
                "live_idle": s.live_idle,
            },
        }

    @contextmanager
    def live_place(self) -> Iterator[None]:
        """Hold one of the places of live sessions.

        Raises:
            RequestError: 429, there are as many as may be; 503, the server stops.
        """
        self.refuse_when_stopping()
        if self._live >= self.settings.max_live:
            raise RequestError(429, f"{self._live} live sessions are open. Try again later.")
        self._live += 1
        self.metrics.live.set(self._live)
        try:
            yield
        finally:
            self._live -= 1
            self.metrics.live.set(self._live)

    async def in_live_thread(self, work: Callable[..., Result], *given: Any) -> Result:
        """Run a short function for a live session outside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._live_pool, work, *given)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which no request waits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the event loop itself would forget it
        task.add_done_callback(self._tasks.discard)

    def refuse_when_stopping(self) -> None:
        """Raise a RequestError, 503, if the server stops."""
        self.jobs.refuse_when_stopping()

    @contextmanager
    def until_stopped(self, patience: asyncio.Timeout) -> Iterator[None]:
        """Let a timeout end at once when the server stops."""
        self._patience.add(patience)
        try:
            yield
        finally:
            self._patience.discard(patience)

    def stop(self) -> None:
        """Take no more work, end live sessions and the server; what runs may finish."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.jobs.finish(self.settings.grace)
            for patience in (p for p in self._patience if not p.expired()):
                patience.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Release threads and decoders."""
        self.jobs.close()
        self._live_pool.shutdown(wait=False, cancel_futures=True)
        self.sandbox.close()


def _load(names: tuple[str, ...]) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for name in names:
        path = find_model(name)
        if path.stem in models:
            raise ConfigError(f"two models are called {path.stem!r}. Rename one of the files.")
        models[path.stem] = Model(Path(path))
    return models


def _profiles(source: str | None, models: dict[str, Model]) -> dict[str, SourceProfile]:
    """The source that each model begins with, from a file that is for one of them.

    Raises:
        ModelError: it is for none of them, or damaged.
    """
    found, refusals = {}, []
    for name, model in models.items() if source else ():
        try:
            found[name] = read_profile(str(source), model.card)
        except ModelError as error:
            refusals.append(error)
    if refusals and not found:
        raise refusals[0]
    return found


def _described(name: str, model: Model) -> dict[str, Any]:
    card = model.card
    return {
        "name": name,
        "title": card.title,
        "emotions": list(card.labels),
        "threshold": card.threshold,
        "threshold_rule": card.threshold_rule,
        "thresholds": {name: card.limits().of(name) for name in card.labels},
        "licence": card.licence,
        "features": asdict(card.features),
        "corpora": [dict(corpus) for corpus in card.corpora],
        "split": dict(card.split),
        "metrics": dict(card.metrics),
        "for_strangers": card.for_strangers,
        "parameters": card.parameters,
        "variant": card.variant,
        "created": card.created,
        "adaptable": model.adaptable,
    }
