"""Where corpora can be downloaded freely: the file lists of Zenodo, GitHub and other hosts.

A source gets the list of files from its host's web interface and returns an address, a checksum
and a size for each. A checksum is `ALGORITHM:HEX`: md5, sha256, or `git` for the SHA-1 that git
computes of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from emelia.errors import CorpusError

GetJson = Callable[[str], Any]


@dataclass(frozen=True)
class Remote:
    """A file to download."""

    name: str  # path in the corpus folder; an archive is unpacked there
    url: str
    checksum: str
    size: int = 0  # bytes; 0 where unknown
    large: str = ""  # address of the content, where `url` is only its Git LFS pointer


class Source(Protocol):
    """A host that a corpus can be downloaded from."""

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files of the corpus.

        Args:
            get_json: asks an address and returns the JSON it answers.

        Raises:
            CorpusError: the host's list has another form than expected.
        """
        ...


@dataclass(frozen=True)
class Zenodo:
    """A record of zenodo.org, or of a host with the same interface."""

    record: str
    names: Sequence[str]  # patterns of the files wanted
    known: Mapping[str, str] = field(default_factory=dict)  # checksums known beforehand, by name
    host: str = "https://zenodo.org"

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files of the record that match `names`."""
        url = f"{self.host}/api/records/{self.record}"
        with _checked(url):
            return [
                Remote(
                    file["key"],
                    file["links"]["self"],
                    self.known.get(file["key"], file["checksum"]),
                    int(file["size"]),
                )
                for file in get_json(url)["files"]
                if any(fnmatch(file["key"], name) for name in self.names)
            ]


@dataclass(frozen=True)
class GitHub:
    """Files of a repository on github.com; with `large`, files that Git LFS stores."""

    repository: str  # OWNER/NAME
    ref: str  # a commit, a branch or HEAD
    paths: str | tuple[str, ...]  # a folder (with a slash at its end) or names
    suffix: str = ""
    large: bool = False
    host: str = "https://api.github.com"
    raw: str = "https://raw.githubusercontent.com"
    media: str = "https://media.githubusercontent.com/media"

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files of the repository's tree."""
        url = f"{self.host}/repos/{self.repository}/git/trees/{self.ref}?recursive=1"
        with _checked(url):
            return [
                self._remote(entry)
                for entry in get_json(url)["tree"]
                if entry["type"] == "blob"
                and entry["path"].startswith(self.paths)
                and entry["path"].endswith(self.suffix)
            ]

    def _remote(self, entry: Mapping[str, Any]) -> Remote:
        path = entry["path"]
        place = f"{self.repository}/{self.ref}/{quote(path)}"
        large = f"{self.media}/{place}" if self.large else ""
        return Remote(path, f"{self.raw}/{place}", f"git:{entry['sha']}", int(entry["size"]), large)


@dataclass(frozen=True)
class Dataverse:
    """A data set of a Dataverse installation."""

    host: str
    doi: str

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files of the latest version."""
        url = f"{self.host}/api/datasets/:persistentId/?persistentId={quote(self.doi)}"
        with _checked(url):
            return [self._remote(file) for file in get_json(url)["data"]["latestVersion"]["files"]]

    def _remote(self, file: Mapping[str, Any]) -> Remote:
        data = file["dataFile"]
        return Remote(
            str(PurePosixPath(file.get("directoryLabel", ""), data["filename"])),
            f"{self.host}/api/access/datafile/{data['id']}",
            f"md5:{data['md5']}",
            int(data["filesize"]),
        )


@dataclass(frozen=True)
class DagsHub:
    """Files of a repository on dagshub.com, which gives no checksums: they are known beforehand."""

    repository: str  # OWNER/NAME
    checksums: Callable[[], Mapping[str, str]]  # by file name
    host: str = "https://dagshub.com/api/v1/repos"

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files with a known checksum, in all folders of the repository."""
        url = f"{self.host}/{self.repository}"
        known, found = self.checksums(), dict[str, Remote]()
        with _checked(url):
            branch = get_json(url)["default_branch"]
            for entry in self._walk(get_json, f"{url}/content/{branch}", ""):
                path = PurePosixPath(entry["path"])
                if path.name in known:
                    name = f"{path.parent.name}/{path.name}"
                    remote = Remote(name, entry["download_url"], known[path.name])
                    found.setdefault(path.name, remote)
        if missing := known.keys() - found.keys():
            raise CorpusError(f"{url}: {len(missing)} of the {len(known)} files are not there.")
        return list(found.values())

    def _walk(self, get_json: GetJson, url: str, folder: str) -> Iterator[Mapping[str, Any]]:
        for entry in get_json(f"{url}/{quote(folder)}"):
            if entry["type"] == "dir":
                yield from self._walk(get_json, url, entry["path"])
            else:
                yield entry


@dataclass(frozen=True)
class HuggingFace:
    """A data set of huggingface.co, or those of its files that match a pattern."""

    repository: str  # OWNER/NAME
    names: Sequence[str] = ("*",)
    host: str = "https://huggingface.co"

    def files(self, get_json: GetJson) -> list[Remote]:
        """List the files of the main branch, at the commit it has now."""
        url = f"{self.host}/api/datasets/{self.repository}/revision/main?blobs=true"
        with _checked(url):
            answer = get_json(url)
            place = f"{self.host}/datasets/{self.repository}/resolve/{answer['sha']}"
            return [
                Remote(
                    file["rfilename"],
                    f"{place}/{quote(file['rfilename'])}",
                    # Large files are stored by Git LFS, which names them by SHA-256.
                    f"sha256:{file['lfs']['sha256']}"
                    if file.get("lfs")
                    else f"git:{file['blobId']}",
                    int(file["size"]),
                )
                for file in answer["siblings"]
                if any(fnmatch(file["rfilename"], name) for name in self.names)
            ]


def stored_checksums(name: str) -> dict[str, str]:
    """Checksums of a corpus's original files that come with the package, by file name."""
    table = files("emelia.corpora").joinpath("data", f"{name}.sha256.tsv")
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    return {file: f"sha256:{digest}" for digest, file in rows}


@contextmanager
def _checked(url: str) -> Iterator[None]:
    """Turn the exceptions that a list of another form causes into a CorpusError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CorpusError(
            f"{url}: the list of files is not as expected ({error!r}). The host may have "
            "changed; get the corpus by hand."
        ) from None
