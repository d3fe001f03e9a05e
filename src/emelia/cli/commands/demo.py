"""`emelia demo`: a synthetic clip to try the other commands with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.errors import ConfigError


def demo(
    out: Annotated[Path, typer.Argument(help="WAV file to write.", show_default=False)],
    emotion: Annotated[
        str,
        typer.Option(
            help="Write another clip of the embedded corpus, which acts this emotion (extra demo).",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a synthetic clip to try the other commands with.

    A computer speaks it and acts an emotion by rule: an answer to it shows how the commands work
    and says nothing about people.

    Examples: emelia demo clip.wav · emelia demo sad.wav --emotion sadness
    """
    from emelia.storage import write_atomically

    if out.suffix.lower() != ".wav":
        raise ConfigError(f"{out}: expected a name that ends in .wav.")
    if out.exists() and not force:
        raise ConfigError(f"{out}: is there already. Choose another name, or add --force.")
    data, acted = _of(emotion) if emotion else (_shipped(), "fear")
    write_atomically(out, data)
    console.say(f"{out}: a synthetic voice acts {acted}. Next: emelia predict {out}")


def _shipped() -> bytes:
    """The clip that comes with emelia, which the page of `emelia serve` offers too."""
    import soundfile

    from emelia.audio.encoding import wav_of
    from emelia.use.bundled import SAMPLE_CLIP

    return wav_of(*soundfile.read(SAMPLE_CLIP, dtype="int16"))


def _of(emotion: str) -> tuple[bytes, str]:
    """A clip of the embedded corpus that acts an emotion, and the emotion."""
    from emelia.corpora import read_corpus

    clips = read_corpus("demo", emotions=[emotion]).utterances
    chosen = next(clip for clip in clips if "_en" in clip.path.name)
    return chosen.path.read_bytes(), chosen.emotion
