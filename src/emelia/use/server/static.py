"""The files of the web page, read once at the start: no request can name another path."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

_FOLDER = Path(__file__).parents[1] / "web"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".flac": "audio/flac",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


def page_routes() -> APIRouter:
    """Routes for each file of the page, `index.html` as `/`."""
    router = APIRouter(include_in_schema=False)
    # One route a file instead of a folder that is served: no request can lead out of it.
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in _KINDS:
            name = path.relative_to(_FOLDER).as_posix()
            _add(router, "/" if name == "index.html" else f"/{name}", path)
    return router


def _add(router: APIRouter, route: str, path: Path) -> None:
    body, kind = path.read_bytes(), _KINDS[path.suffix]
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    # Kept, but asked about each time: a new version shows at once.
    headers = {"etag": tag, "cache-control": "no-cache"}

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=kind, headers=headers)

    router.add_api_route(route, file, methods=["GET", "HEAD"])
