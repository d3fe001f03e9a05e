"""The recognizer as an HTTP server: REST, live sound by WebSocket, and a web page.

Uploads are held in bounded memory, decoded in separate processes, and never stored.
"""

from __future__ import annotations

from emelia.errors import MissingExtraError

try:
    from emelia.use.server.app import create_app
    from emelia.use.server.uvicorn_runner import serve
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("emelia"):
        raise
    raise MissingExtraError("serving", error.name, "serve") from None
from emelia.use.server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app", "serve"]
