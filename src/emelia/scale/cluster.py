"""A Ray cluster: connected to or started, and looked at before any work depends on it.

    with connect("ray:10.0.0.5:6379") as cluster:
        cluster.check(["/data/calls"])

Ray sends statistics of its use, and opens a page with what runs, unless told not to: both are off.
Programs talk to a Ray cluster, and hand it code, without a password: its ports belong into a
network of its own, never on the internet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emelia import __version__
from emelia.errors import ConfigError, EmeliaError, MissingExtraError
from emelia.packages import package

_OBJECTS = 200_000_000  # bytes of shared memory on one machine: a model, and answers on their way
_PATIENCE = 5.0  # s until an address that does not answer is given up
_SLOW_START = 120.0  # s that a node may take to start a process that imports emelia
_GB = 1e9
# Ray's own values, 15 and 60 s, let workers starve beside other programs, and end them before they
# have loaded the model.
_OF_A_BUSY_MACHINE = {"RAY_worker_niceness": "0", "RAY_worker_register_timeout_seconds": "600"}
_PORT = 6379  # of Ray's head, where the address names none


@dataclass(frozen=True)
class Cluster:
    """A connected cluster.

    Attributes:
        ray: the package, once it is imported.
        address: of its head; empty where it was started for this command.
    """

    ray: Any
    address: str

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """What Ray tells of each node that is alive."""
        return [node for node in self.ray.nodes() if node["Alive"]]

    @property
    def cpus(self) -> int:
        """Cores of all nodes."""
        return max(1, int(sum(node["Resources"].get("CPU", 0) for node in self.nodes)))

    def check(self, paths: Sequence[str | os.PathLike[str]], memory: float) -> None:
        """See that nodes have this version of emelia, see all paths, and have enough memory.

        Args:
            memory: bytes that one task of it needs.

        Raises:
            EmeliaError: one of them does not; the message names it.
        """
        largest = max((n["Resources"].get("memory", 0) for n in self.nodes), default=0)
        if largest < memory:
            raise EmeliaError(
                f"too little memory: a worker needs {memory / _GB:.1f} GB, and the largest node "
                f"of the cluster offers {largest / _GB:.1f} GB. Add a larger node, or start it "
                "with `ray start --memory=BYTES` if it has more."
            )
        if not self.address:
            return  # its only node is this machine
        absolute = [os.path.abspath(path) for path in paths]
        asked = {self._ask(node["NodeID"], absolute): node for node in self.nodes}
        for told, node in asked.items():
            self._complain(self._heard(told, node), node["NodeManagerHostname"])

    def _ask(self, node: str, paths: list[str]) -> Any:
        strategies = package("ray.util.scheduling_strategies")
        here = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        return self.ray.remote(_look).options(num_cpus=0, scheduling_strategy=here).remote(paths)

    def _heard(self, told: Any, node: dict[str, Any]) -> tuple[str, list[str]]:
        try:
            found: tuple[str, list[str]] = self.ray.get(told, timeout=_SLOW_START)
        except self.ray.exceptions.GetTimeoutError:
            raise EmeliaError(
                f"node {node['NodeManagerHostname']}: did not answer within {_SLOW_START:.0f} s. "
                "Look at it with `ray status`, or take it out of the cluster."
            ) from None
        except self.ray.exceptions.RayError as error:
            return (_last_line(error), [])
        return found

    def _complain(self, told: tuple[str, list[str]], node: str) -> None:
        version, missing = told
        if version != __version__:
            has = version if version[:1].isdigit() else f"none that works ({version})"
            raise EmeliaError(
                f"node {node}: its emelia is {has}; this one is {__version__}. Install the same "
                f"there: pip install 'emelia[ray]=={__version__}'."
            )
        if missing:
            raise EmeliaError(
                f"node {node}: cannot see {missing[0]}. Put it on a disk that all nodes mount "
                "under this name, or into an object store (s3://...)."
            )


@contextlib.contextmanager
def connect(on: str, cpus: int) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine, and leave or end it with the block.

    Args:
        on: `ray` for the cluster of RAY_ADDRESS or, where that is not set, one of this machine's
            cores that ends with the block; `ray:ADDRESS` for that of a head.
        cpus: cores of a cluster that is started.

    Raises:
        ConfigError: `on` is nothing of that kind.
        MissingExtraError: Ray is not installed.
        EmeliaError: there is no cluster at the address, or its versions differ from ours.
    """
    kind, _, address = on.partition(":")
    if kind != "ray":
        raise ConfigError(f"--on {on}: expected ray, or ray:HOST:PORT with the address of a head.")
    address = address or os.environ.get("RAY_ADDRESS", "")
    if address and address != "auto":
        address = _reachable(address)
    try:
        ray = package("ray")
    except ImportError:
        raise MissingExtraError("working on a cluster", "ray", "ray") from None
    options: dict[str, Any] = {"address": address} if address else {
        "address": "local", "num_cpus": cpus, "object_store_memory": _OBJECTS,
        "include_dashboard": False,
    }  # fmt: skip
    try:
        for name, value in _OF_A_BUSY_MACHINE.items():
            os.environ.setdefault(name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Ray will change in later versions
            ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
    except (RuntimeError, ValueError, ConnectionError, OSError) as error:
        raise _refused(address, error) from None
    try:
        yield Cluster(ray, address)
    except (ray.exceptions.RaySystemError, ray.exceptions.RpcError, ConnectionError) as error:
        raise EmeliaError(
            f"the cluster is gone ({_last_line(error)}). What is finished is kept: start it "
            "again, then the same command goes on."
        ) from None
    finally:
        ray.shutdown()


def _look(paths: list[str]) -> tuple[str, list[str]]:
    """On a node: the version of emelia there, and the paths that it does not see."""
    return __version__, [path for path in paths if not os.path.exists(path)]


def _reachable(address: str) -> str:
    """An address with its port, at which something listens."""
    if "://" in address:
        raise ConfigError(
            f"ray:{address}: expected HOST:PORT of the head. Run the command on a machine of the "
            "cluster, or send it there: ray job submit -- emelia ..."
        )
    host, _, port = address.partition(":")
    number = int(port) if port.isdigit() else _PORT
    if (port and not port.isdigit()) or not host:
        raise ConfigError(f"ray:{address}: expected HOST:PORT, such as ray:10.0.0.5:{_PORT}.")
    try:
        socket.create_connection((host, number), _PATIENCE).close()
    except OSError as error:
        raise EmeliaError(
            f"ray:{address}: no cluster there ({error.strerror or error}). Start its head with "
            f"`ray start --head --port={number}`, or leave the address out for this machine alone."
        ) from None
    return f"{host}:{number}"


def _refused(address: str, error: Exception) -> EmeliaError:
    """Why Ray did not connect, in one line, and the way out."""
    text = " ".join(str(error).split())
    if "ersion mismatch" in text:
        return EmeliaError(
            f"{address}: the versions of Ray or Python differ between this machine and the "
            f"cluster ({text[:300]}). Install the same on all: pip install 'ray==VERSION'."
        )
    if "memory" in text and not address:
        return EmeliaError(
            f"too little memory to start Ray ({text[:200]}). Work without --on ray, or close "
            "other programs."
        )
    if address:
        return EmeliaError(
            f"{address}: cannot be joined ({text[:200]}). This machine has to be a node of the "
            f"cluster: ray start --address={address}."
        )
    return EmeliaError(f"Ray cannot be started here ({text[:200]}).")


def _last_line(error: Exception) -> str:
    """What went wrong, at the end of a traceback from another machine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
