"""The HTTP routes of the server."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.routing import APIRoute

from emelia.audio.channels import EACH, Channel
from emelia.text import nearest
from emelia.use.answer import Answer
from emelia.use.recognizer import Recognizer
from emelia.use.server import api_docs, handlers
from emelia.use.server.errors import PAGES, RequestError
from emelia.use.server.events import EventStream, json_line
from emelia.use.server.jobs import Job
from emelia.use.server.metrics import CONTENT_TYPE
from emelia.use.server.service import Service
from emelia.use.server.uploads import read_upload

router = APIRouter()

_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The recording.",
                        }
                    },
                }
            }
        },
    }
}
_ERROR = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["error", "status"],
            "properties": {"error": {"type": "string"}, "status": {"type": "integer"}},
        }
    }
}
_EXAMPLE = Answer("anger", 0.72, {"anger": 0.72, "sadness": 0.28}, False)
_ANSWER = {
    "description": "The answer; `no speech` is one, with no probabilities.",
    "content": {
        "application/json": {
            "example": {**_EXAMPLE.fields(seconds=3.1, speech=0.5), "model": "default"}
        }
    },
}
_EVENTS = {
    "description": "JSON lines, as they are found.",
    "content": {
        "application/x-ndjson": {
            "example": '{"type":"progress","done":1.0,"total":60.0}\n'
            '{"type":"window","start":0.0,"end":3.0,"probabilities":{...}}\n'
            '{"type":"timeline","seconds":60.0,"segments":[{"start":0.0,"end":8.2,'
            '"emotion":"anger",...}],"windows":[...],"waveform":{...}}'
        }
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The form is damaged.", "content": _ERROR},
    401: {"description": "No token, or another.", "content": _ERROR},
    403: {"description": "Asked by the page of another site.", "content": _ERROR},
    404: {"description": "No such model.", "content": _ERROR},
    408: {"description": "The upload came too slowly.", "content": _ERROR},
    413: {"description": "Too large, or too long.", "content": _ERROR},
    415: {"description": "Not a form, or not a recording of a known format.", "content": _ERROR},
    422: {"description": "A parameter or the recording cannot be used.", "content": _ERROR},
    429: {"description": "Too much to do; see the header Retry-After.", "content": _ERROR},
    500: {"description": "A fault of the server; its log tells more.", "content": _ERROR},
    503: {"description": "The server is being stopped, or full.", "content": _ERROR},
    504: {"description": "It took too long.", "content": _ERROR},
}

Model = Annotated[str | None, Query(description="A name from /v1/models; else the first of them.")]
Emotions = Annotated[str, Query(description="Only these may be answered, between commas.")]
ChannelWord = Annotated[
    Channel,
    Query(
        description="Of several channels: mix, their mean; left; right; or each, with a list "
        "`channels` of answers."
    ),
]
Threshold = Annotated[
    float | None,
    Query(ge=0, le=1, description="Confidence below which an answer is unsure; else the model's."),
]
SourceName = Annotated[
    str,
    Query(
        description="A name of yours for the voice or room that recordings come from: answers get "
        "used to it. Kept in memory for your address alone, and forgotten a day after it was last "
        "asked for, or earlier. Of models that are `adaptable`."
    ),
]


def _known_words(request: Request) -> None:
    """Refuse words of the query that would be ignored, as where one is misspelt."""
    route: APIRoute = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    for word in request.query_params:
        if word not in known:
            near = nearest(word, known)
            hint = f" Did you mean {near}?" if near else ""
            raise RequestError(
                422, f"{word[:40]}: no word of this query; expected {', '.join(sorted(known))}."
                f"{hint} {PAGES}",
            )  # fmt: skip


@router.post(
    "/v1/predict",
    dependencies=[Depends(_known_words)],
    summary="The emotion of a recording",
    responses={200: _ANSWER, **_REFUSALS},
    openapi_extra=_UPLOAD,
)
async def predict(
    request: Request,
    model: Model = None,
    emotions: Emotions = "",
    threshold: Threshold = None,
    channel: ChannelWord = "mix",
    source: SourceName = "",
    explain: Annotated[bool, Query(description="Add what a page needs to draw it.")] = False,
) -> Response:
    """At most five minutes; `/v1/timeline` takes longer ones."""
    service = _service(request)
    recognizer = service.recognizer(model, emotions, threshold)
    with service.jobs.place():
        data = await read_upload(request, service)
        name = service.name_of(model)
        recognizer = _used_to(request, recognizer, source, channel, data)
        ask = partial(handlers.predict, service, recognizer, name, data, explain, channel)
        found = await service.jobs.run(ask, Job(service.settings.timeout))
    return Response(json_line(found), media_type="application/json")


@router.post(
    "/v1/timeline",
    dependencies=[Depends(_known_words)],
    summary="Emotions along a long recording",
    responses={200: _EVENTS, **_REFUSALS},
    openapi_extra=_UPLOAD,
)
async def timeline(
    request: Request,
    model: Model = None,
    emotions: Emotions = "",
    threshold: Threshold = None,
    channel: ChannelWord = "mix",
    source: SourceName = "",
    window: Annotated[float, Query(ge=0.5, le=30, description="Seconds heard at once.")] = 3.0,
    hop: Annotated[float, Query(ge=0.1, le=30, description="Seconds between windows.")] = 1.0,
) -> Response:
    """Lines of the types progress, window, and at the end timeline or error."""
    service = _service(request)
    recognizer = service.recognizer(model, emotions, threshold)
    with ExitStack() as stack:
        stack.enter_context(service.jobs.place())
        data = await read_upload(request, service)
        recognizer = _used_to(request, recognizer, source, channel, data)
        place = stack.pop_all()  # kept until the work is done, which may outlive this request
    stream = EventStream(service.settings.timeout)
    ask = partial(
        handlers.timeline, service, recognizer, service.name_of(model), (window, hop), data, channel
    )
    service.keep(stream.work(service.jobs, place, ask))
    first = await stream.first()
    afterwards = BackgroundTasks()
    afterwards.add_task(stream.stop)  # also for a client that left before the first line
    lines = stream.lines(first)
    return StreamingResponse(lines, media_type="application/x-ndjson", background=afterwards)


@router.get("/v1/models", summary="Models and limits of this server")
async def models(request: Request) -> dict[str, Any]:
    """For each model its emotions, licence, data and figures."""
    return _service(request).describe()


@router.get("/v1/models/{name}/card", summary="The card of a model, to read")
async def card(request: Request, name: str) -> Response:
    """Emotions, data with licences, protocol, figures with intervals, limits; as Markdown."""
    return Response(_service(request).card(name), media_type="text/plain; charset=utf-8")


@router.get("/healthz", summary="Whether the server works")
async def healthz(request: Request) -> dict[str, str]:
    """Answers ok, or 503 while it is being stopped."""
    if _service(request).stopping.is_set():
        raise RequestError(503, "this server is being stopped.")
    return {"status": "ok"}


@router.get("/metrics", summary="Counts for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """In Prometheus's text format."""
    return Response(_service(request).metrics.text(), media_type=CONTENT_TYPE)


@router.get("/docs", include_in_schema=False)
async def documentation(request: Request) -> HTMLResponse:
    """This description, for people."""
    html = api_docs.page(request.app.openapi())
    return HTMLResponse(html, headers={"content-security-policy": api_docs.csp()})


def labels() -> frozenset[str]:
    """What logs and metrics call the routes above: by their paths."""
    return frozenset(route.path for route in router.routes if isinstance(route, APIRoute))


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _used_to(
    request: Request, recognizer: Recognizer, source: str, channel: Channel, data: bytearray
) -> Recognizer:
    """A recognizer that gets used to the source a request names; the same where it names none."""
    if source and channel == EACH:
        raise RequestError(
            422, "source with channel=each: the channels of a call are several sources. Ask for "
            "one at a time, each with a source of its own.",
        )  # fmt: skip
    client = request.client.host if request.client else ""
    return _service(request).used_to(recognizer, client, source, data)
