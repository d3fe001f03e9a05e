"""The errors emelia raises on purpose.

Every message says what came, what was expected and what to do. The command line
prints one as a single line and leaves with the code beside it; anything else that
escapes is a fault of ours and keeps its traceback.

    EmeliaError            1
    ├── AudioError         1   a recording that cannot be read or used
    │   ├── FormatError    1   a container or codec that is not read
    │   └── TooLongError   1   longer than the limit
    ├── ConfigError        2   a setting, recipe or option that does not exist or fit
    ├── CorpusError        1   a corpus that is not there, empty or not understood
    ├── SplitError         1   a split this corpus cannot give
    ├── StorageError       1   a folder that cannot be written, a disk that is full
    ├── RunError           1   a training run that is missing, damaged or of another kind
    ├── ModelError         1   a model file that is missing, damaged or foreign
    └── MissingExtraError  1   an optional dependency that is not installed
"""

from __future__ import annotations


class EmeliaError(Exception):
    """Base of all errors a user can do something about."""

    exit_code = 1


class AudioError(EmeliaError):
    """A recording could not be decoded or used."""


class FormatError(AudioError):
    """A recording is in a container or codec that is not read."""


class TooLongError(AudioError):
    """A recording lasts longer than the limit."""


class ChangedAudioError(AudioError):
    """A recording is another than when its corpus was read."""


class ConfigError(EmeliaError):
    """A setting, recipe or option does not exist or has a value that does not fit."""

    exit_code = 2


class CorpusError(EmeliaError):
    """A corpus is missing, empty or laid out in a way no reader understands."""


class SplitError(EmeliaError):
    """The corpus cannot be split as asked."""


class StorageError(EmeliaError):
    """Something could not be written; what was there before is untouched."""


class RunError(EmeliaError):
    """A training run is missing, damaged or was made with other settings."""


class ModelError(EmeliaError):
    """A model file is missing, damaged, foreign or of a later version."""


class MissingExtraError(EmeliaError):
    """An optional dependency is not installed; the message carries the command."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(purpose, package, extra)  # all of them, to be sent between processes

    def __str__(self) -> str:
        purpose, package, extra = self.args
        return (
            f"{purpose} needs {package}, which is not installed. Run: pip install 'emelia[{extra}]'"
        )
