"""An HTML page about the server's API, made from its OpenAPI description.

It loads nothing and needs no script.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }
h2 { margin-top: 2.5rem; font-size: 1.1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { overflow-x: auto; padding: 0.7rem; white-space: pre-wrap;
  background: color-mix(in srgb, currentColor 7%, transparent); }
td, th { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
"""


def csp() -> str:
    """The Content-Security-Policy of the page: its own style and nothing else."""
    digest = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )


def page(openapi: Mapping[str, Any]) -> str:
    """The HTML page of an OpenAPI description."""
    info = openapi["info"]
    title = f"{info['title']} {info['version']}"
    body = "".join(
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{_text(info['description'])}"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>. <a href=".">The page</a>.</p>'
        f"{body}</html>\n"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(_rows(operation))
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p><b>{escape(operation['summary'])}</b></p>{_text(operation.get('description', ''))}"
        f"<table>{rows}</table>"
    )


def _rows(operation: Mapping[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        yield _row(f"?{parameter['name']}=", parameter.get("description", ""))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, field in content["schema"]["properties"].items():
            yield _row(f"field {name}", field.get("description", ""))
    for status, response in operation["responses"].items():
        yield _row(status, response["description"])
        for content in response.get("content", {}).values():
            if example := content.get("example"):
                shown = example if isinstance(example, str) else json.dumps(example, indent=1)
                yield f"<tr><td></td><td><pre>{escape(shown)}</pre></td></tr>"


def _row(name: str, text: str) -> str:
    return f"<tr><th><code>{escape(name)}</code></th><td>{escape(text)}</td></tr>"


def _text(text: str) -> str:
    """A text as HTML paragraphs; those that begin with four spaces are code."""
    return "".join(
        f"<pre>{escape(part)}</pre>" if part.startswith("    ") else f"<p>{escape(part)}</p>"
        for part in text.split("\n\n")
        if part.strip()
    )
