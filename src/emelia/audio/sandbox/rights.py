"""Gives up the rights of the process that decodes a stranger's recording, as far as Linux can.

After `give_up` the process can compute, and read and write what it has open already: the two ends
of its connection. It can open, delete and rename nothing, connect to nothing, start and stop no
process, and read no memory but its own. Several layers say so, since a kernel or a container may
lack one; those that are lacking are named, so that the server can say so when it starts.

Called by ctypes, for no kept package does it: `pyseccomp` needs a library of the system that many
containers lack, and `landlock` has had no release.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import signal
from collections.abc import Callable
from contextlib import suppress

GRACE = 1.0  # s that a child may run too long, so that the parent's TimeoutError comes first
_NOBODY = 65_534  # the user and group that own nothing
# Source: prctl(2), seccomp(2), landlock(7); the numbers are part of the kernel's interface.
_NOT_DUMPABLE, _SECCOMP, _NO_NEW_PRIVILEGES = 4, 22, 38  # requests of prctl
_FILTER = 2  # mode of seccomp
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # calls of Landlock, on all machines
_RULES = ((1, 13), (2, 14), (3, 15), (5, 16))  # version of Landlock, kinds of access to files
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the latter with EPERM
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # instructions of a filter
_ARCHITECTURE, _NUMBER = 4, 0  # places in what a filter sees of a call
# By machine: its number in the audit interface, and the calls of a process that only computes:
# read write close fstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask
# rt_sigreturn sched_yield mremap madvise nanosleep getpid sendto recvfrom exit gettimeofday gettid
# futex sched_getaffinity restart_syscall clock_gettime clock_nanosleep exit_group getrandom
_CALLS = {
    "x86_64": (0xC000003E, (
        0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 35, 39, 44, 45, 60, 96, 186, 202,
        204, 219, 228, 230, 231, 318,
    )),
    "aarch64": (0xC00000B7, (
        63, 64, 57, 80, 73, 62, 222, 226, 215, 214, 134, 135, 139, 124, 216, 233, 101, 172, 206,
        207, 93, 169, 178, 98, 123, 128, 113, 115, 94, 278,
    )),
}  # fmt: skip


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction)))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def give_up(most_bytes: int, seconds: float) -> tuple[list[str], bool]:
    """Limit this process from now on: what it may do, its memory and its time.

    Returns:
        What this system lacks of it, by name; and whether the memory is limited by us, and not
        more tightly by whoever started the server.
    """
    ours = _limit(most_bytes, seconds)
    libc = ctypes.CDLL(None, use_errno=True)
    layers: list[tuple[str, Callable[[ctypes.CDLL], bool]]] = [
        ("no_new_privs", lambda libc: _prctl(libc, _NO_NEW_PRIVILEGES, 1)),
        ("Landlock", _no_files),
        ("another user", _become_nobody),
        ("no dumps", lambda libc: _prctl(libc, _NOT_DUMPABLE, 0)),
        ("no files", _no_more_files),
        ("seccomp", _only_compute),
    ]
    return [name for name, layer in layers if not layer(libc)], ours


def _limit(most_bytes: int, seconds: float) -> bool:
    """Limit memory, time, files, core dumps and processes; True where the memory is as asked."""
    import resource

    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE)
    longest = math.ceil(seconds + GRACE)
    resource.setrlimit(resource.RLIMIT_CPU, (longest, longest + 1))
    limits = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_NPROC: 0}
    with suppress(OSError), open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + most_bytes
    ours = True
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        ours &= kind != resource.RLIMIT_AS or allowed == most
        resource.setrlimit(kind, (allowed, allowed))
    return ours


def _no_more_files(libc: ctypes.CDLL) -> bool:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    return True


def _prctl(libc: ctypes.CDLL, request: int, value: int) -> bool:
    return _linux() and libc.prctl(request, value, 0, 0, 0) == 0


def _become_nobody(libc: ctypes.CDLL) -> bool:
    """Leave the rights of root; another user has none to leave."""
    if os.geteuid():
        return True
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:  # a container that may not even do that
        return False
    return True


def _no_files(libc: ctypes.CDLL) -> bool:
    """Landlock with no rule: no file, no TCP, no signal or socket to anybody outside."""
    if not _linux():
        return False
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    kinds = max((count for first, count in _RULES if version >= first), default=0)
    if not kinds:
        return False
    rules = _Ruleset(2**kinds - 1, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    descriptor = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    if descriptor < 0:
        return False
    done = libc.syscall(_RESTRICT_SELF, descriptor, 0) == 0
    os.close(descriptor)
    return bool(done)


def _only_compute(libc: ctypes.CDLL) -> bool:
    """A filter of the kernel that refuses all calls but those of a process that computes."""
    if not _linux() or platform.machine() not in _CALLS:
        return False
    machine, allowed = _CALLS[platform.machine()]
    left = len(allowed)
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        *((_IF_EQUAL, left - place, 0, number) for place, number in enumerate(allowed)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    given = _Program(len(steps), program)
    return bool(libc.prctl(_SECCOMP, _FILTER, ctypes.byref(given), 0, 0) == 0)


def _linux() -> bool:
    return platform.system() == "Linux"
