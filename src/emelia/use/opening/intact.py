"""Whether a model file is the one that was written.

An exported file bears its own digest; those of the files that come with emelia stand in
`models/SHA256SUMS`, which `make models` writes.
"""

from __future__ import annotations

from enum import Enum
from hashlib import sha256
from pathlib import Path

from emelia.config.operators import is_intact
from emelia.errors import ModelError

MODELS = Path(__file__).parents[1] / "models"
SUMS = "SHA256SUMS"


class Intact(Enum):
    """What is known of a file."""

    SHIPPED = "it is the file that came with this emelia"
    SEALED = "it is as it was exported"
    UNKNOWN = "it has no digest, as files exported by earlier versions: nobody can tell"


def check_intact(path: Path, data: bytes) -> Intact:
    """What is known of a model file's bytes.

    Raises:
        ModelError: they are not those that were written.
    """
    if path.parent.resolve() == MODELS and (wanted := shipped_digests().get(path.name)):
        if sha256(data).hexdigest() != wanted:
            raise ModelError(
                f"{path}: is not the file that came with emelia, or was damaged since. "
                "Install it again: pip install --force-reinstall --no-deps emelia"
            )
        return Intact.SHIPPED
    intact = is_intact(data)
    if intact is False:
        raise ModelError(
            f"{path}: was changed or damaged since it was exported: its digest is another. "
            "Use an intact copy, or export it again."
        )
    return Intact.SEALED if intact else Intact.UNKNOWN


def shipped_digests(folder: Path = MODELS) -> dict[str, str]:
    """The SHA-256 of each file that comes with emelia, by its name; none where no list lies."""
    try:
        lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
