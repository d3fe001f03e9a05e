"""`emelia serve`: the recogniser as a web page and an HTTP interface."""

from __future__ import annotations

from typing import Annotated

import typer

from emelia import console
from emelia.cli.next_steps import suggest
from emelia.cli.options import SourceOption


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A model that comes with emelia, or a .onnx file; give it several times to offer "
            "several. \\[default: default]",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Address to listen on; 0.0.0.0 lets other machines in."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Host name by which clients call it, where a proxy stands in front; may be given "
            "several times.",
            show_default=False,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EMELIA_TOKEN",
            metavar="TOKEN",
            help="What clients have to show. Better in EMELIA_TOKEN, which no list of processes "
            "shows.",
            show_default=False,
        ),
    ] = None,
    max_mb: Annotated[float, typer.Option(metavar="MB", help="Size of one upload.")] = 50.0,
    max_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Length of one recording.")
    ] = 3600.0,
    max_jobs: Annotated[
        int, typer.Option(min=1, help="Recordings worked on at once, a core each.")
    ] = 2,
    queue: Annotated[
        int, typer.Option(min=0, help="So many more may wait; others are sent away.")
    ] = 8,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long a recording may wait and be worked on."),
    ] = 300.0,
    max_live: Annotated[int, typer.Option(min=1, help="Live sessions at once.")] = 8,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes behind the address, each with these limits. With several, clients "
            "cannot name a source of theirs, which one process alone would know.",
        ),
    ] = 1,
    source: SourceOption = None,
    grace: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Time to finish what runs when told to stop."),
    ] = 10.0,
) -> None:
    """Serve a page and a REST and WebSocket interface.

    Open the address it prints in a browser; /docs there tells what programs can ask.
    Recordings are decoded in memory, in processes of their own, and not kept. Ctrl-C stops.

    Examples: emelia serve · emelia serve --model aesdd --model my.onnx --port 9000
    """
    from emelia.use.server import ServerSettings, create_app
    from emelia.use.server import serve as run
    from emelia.use.server.group.prefork import log_to_stderr, serve_by

    settings = ServerSettings(
        models=tuple(model or ["default"]),
        host=host,
        port=port,
        names=tuple(name or ()),
        token=token or None,
        max_mb=max_mb,
        max_seconds=max_seconds,
        max_jobs=max_jobs,
        queue=queue,
        timeout=timeout,
        max_live=max_live,
        source=str(source) if source else None,
        grace=grace,
    )
    if not settings.loopback and not settings.token:
        console.warn(
            f"anybody who can reach {host} may use this server, and what they send travels "
            "unencrypted. Set EMELIA_TOKEN, and put a proxy with TLS in front."
        )
    log_to_stderr()

    def tell(url: str) -> None:
        console.say(f"Open {url} in a browser. Ctrl-C stops.")
        suggest((f"curl -F file=@clip.wav {url}v1/predict",))

    app = create_app(settings)  # raises here, not in every process
    if workers == 1:
        run(app, settings, tell)
    else:
        del app
        serve_by(workers, settings, tell)
