"""Injects disk faults: the test sets what the kernel answers to the writer thread. Holds no test.

seccomp passes some system calls of that one thread to another thread, which returns an errno or lets them continue. It
needs no privileges and no compiler. The thread keeps the filter until it ends.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import select
import struct
import threading
from pathlib import Path
from typing import Final

from tests.support.helpers import ROOT, Process

# Numbers of system calls: asm/unistd_64.h of x86, asm-generic/unistd.h.
_SYSCALLS: Final = {
    "x86_64": {"seccomp": 317, "pwrite64": 18, "fsync": 74, "fdatasync": 75, "ftruncate": 77},
    "aarch64": {"seccomp": 277, "pwrite64": 68, "fsync": 82, "fdatasync": 83, "ftruncate": 46},
}.get(platform.machine(), {})
_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3  # linux/seccomp.h
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # ioctls SECCOMP_IOCTL_NOTIF_RECV and _SEND
_NOTICE_BYTES: Final = 80  # struct seccomp_notif: the id at 0, the call's number at 16
_GO_ON: Final = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000


def _install() -> int:
    """Puts the filter on the calling thread; returns the descriptor for its calls. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = [number for name, number in _SYSCALLS.items() if name != "seccomp"]
    steps = [(_LOAD, 0, 0, 0)]  # the call's number
    steps += [(_JUMP_IF_EQUAL, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    listener = int(libc.syscall(_SYSCALLS.get("seccomp", -1), _SET_MODE_FILTER, _NEW_LISTENER, program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _supervise(listener: int, faults: Path) -> None:
    """Answers calls with the errno that the file `faults` names for them, if any, until their thread ends."""
    names = {number: name for name, number in _SYSCALLS.items()}
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while poll.poll()[0][1] & select.POLLIN:
        notice = bytearray(_NOTICE_BYTES)
        fcntl.ioctl(listener, _RECEIVE, notice)
        (notice_id,), (number,) = struct.unpack_from("Q", notice), struct.unpack_from("i", notice, 16)
        name = json.loads(faults.read_text()).get(names[number])
        answer = (0, 0, _GO_ON) if name is None else (0, -getattr(errno, name), 0)
        fcntl.ioctl(listener, _SEND, struct.pack("Qqii", notice_id, *answer))
    os.close(listener)


def put_under_faults(faults: str, lock_timeout: float) -> None:
    """Makes writer threads obey that file from now on: {"name of a system call": "name of an errno"}.

    They wait `lock_timeout` seconds for a lock.
    """
    from service.storage.sqlite.writer import Writer

    run = Writer.run

    def run_under_faults(self: Writer) -> None:
        supervisor = threading.Thread(target=_supervise, args=(_install(), Path(faults)), name="faults")
        supervisor.start()
        self._limits = self._limits._replace(lock_timeout=lock_timeout)
        run(self)

    Writer.run = run_under_faults  # type: ignore[method-assign]


def can_inject() -> bool:
    """Returns whether this system lets a process do that to itself."""
    outcomes: list[OSError | None] = []

    def attempt() -> None:
        try:
            os.close(_install())
            outcomes.append(None)
        except OSError as error:
            outcomes.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return outcomes == [None]


class FaultyProcess(Process):
    """The service on a disk that fails on demand."""

    def __init__(self, folder: Path, *, storage_timeout: float = 2.0) -> None:
        self.faults = folder / "faults.json"
        self.set_faults()
        prelude = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            f"import {__name__}; {__name__}.put_under_faults({str(self.faults)!r}, {storage_timeout})"
        )
        super().__init__(folder, prelude=prelude)

    def set_faults(self, **faults: str) -> None:
        """Sets the error of each system call from now on; the others work."""
        new = self.faults.with_suffix(".new")
        new.write_text(json.dumps(faults))
        new.replace(self.faults)
