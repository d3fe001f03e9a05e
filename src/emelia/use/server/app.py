"""Builds the FastAPI application: models, routes, middleware."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from emelia import __version__
from emelia.use.server.errors import RequestError, as_request_error
from emelia.use.server.live import router as live
from emelia.use.server.middleware import RequestChecks
from emelia.use.server.routes import labels, router
from emelia.use.server.service import Service
from emelia.use.server.settings import ServerSettings
from emelia.use.server.static import page_routes

_ABOUT = """Recognises emotion in recorded speech. Recordings are WAV, FLAC, Ogg, MP3, M4A or \
WebM; they are decoded in memory and not kept.

    curl -F file=@clip.wav http://127.0.0.1:8000/v1/predict

Every refusal has the body {"error": what came, what was expected and what to do, "status": n}. \
A server with a token wants the header Authorization: Bearer TOKEN.

Live sound goes through a WebSocket at /v1/live?rate=48000&model=&emotions=&source=&token=. \
Send binary messages of float32 samples, little endian, mono, at that rate, and the text end after \
the last. Messages that come back are JSON: {"type": "window", start, end, probabilities}, \
{"type": "segment", start, end, emotion, confidence, unsure, probabilities}, {"type": "end"}, or \
{"type": "error", error, status}, after which the connection closes.

With source=NAME answers get used to the voice and room that recordings of that name come from; \
the answer tells to how many clips it is `adapted`. What is kept is small sums, in memory, for the \
address that asks; it is forgotten a day after it was last asked for, when 1,000 newer ones are, \
and with the server."""

_log = logging.getLogger("emelia.server")


def create_app(settings: ServerSettings) -> FastAPI:
    """Load the models and build the application.

    Raises:
        ModelError: a model is missing, damaged or foreign.
        ConfigError: two models have one name, or this system cannot decode safely.
    """
    service = Service(settings)
    app = FastAPI(
        title="emelia",
        version=__version__,
        description=_ABOUT,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            404: _no_page,
            405: _no_method,
            RequestValidationError: _refuse,
            RequestError: _refuse,
        },
    )
    app.state.service = service
    app.include_router(router)
    app.include_router(live)
    app.include_router(page_routes())
    app.add_middleware(RequestChecks, service=service, labels=labels())
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    if lacking := await service.in_live_thread(service.sandbox.start):
        _log.warning(
            "this system lacks %s: a decoder that is taken over by a recording can do more than "
            "it should (SECURITY.md)", ", ".join(lacking),
        )  # fmt: skip
    try:
        yield
    finally:
        service.close()


async def _no_page(request: Request, error: Exception) -> JSONResponse:
    return RequestError(404, "nothing here; `GET /docs` lists what there is.").response


async def _no_method(request: Request, error: Exception) -> JSONResponse:
    response = RequestError(
        405, f"{request.method} is not for this; `GET /docs` lists what is."
    ).response
    response.headers.update(getattr(error, "headers", None) or {})  # what is allowed
    return response


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    return as_request_error(error).response
