# SPDX-License-Identifier: MIT
"""Child processes of the job, each with a log, an affinity and a limit on every wait; and what ends a job."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.05
PR_SET_PDEATHSIG = 1
CANNOT_EXECUTE = (errno.ENOENT, errno.EACCES, errno.ENOEXEC)


class Stop(Exception):
    """The job cannot go on: an outcome, a reason a person can act on, the log that shows it."""

    def __init__(self, outcome: str, reason: str, log: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.log = log


class Child:
    """A process in its own group, with stdout and stderr in one log file.

    It is bound to `cpus`, or moved into `cgroup`, before its program starts.
    """

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cpus: Sequence[int] | None = None,
        cgroup: Path | None = None,
    ) -> None:
        self.argv = list(argv)
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=lambda: _prepare(cpus, cgroup),
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that killed it), None while it runs."""
        return self.process.poll()

    def allowed_cpus(self) -> list[int] | None:
        """The CPUs that its main thread may use now, None when it has been waited for."""
        try:
            return sorted(os.sched_getaffinity(self.process.pid))
        except ProcessLookupError:
            return None

    def wait(self, limit_s: float) -> int | None:
        """Wait for the end, at most `limit_s`; None when it still runs.

        Sleeps in the kernel: Popen.wait polls, and would wake up twenty times a second beside the
        workload that is being measured.
        """
        if self.exit_code is None:
            handle = os.pidfd_open(self.process.pid)
            try:
                select.select([handle], [], [], limit_s)
            finally:
                os.close(handle)
        return self.exit_code

    def stop(self, sign: int, limit_s: float) -> int | None:
        """One signal, then SIGKILL when the limit is over; the exit code."""
        if self.exit_code is None:
            self._kill(sign)
            if self.wait(limit_s) is None:
                self._kill(signal.SIGKILL)
                self.wait(limit_s)
        return self.exit_code

    def _kill(self, sign: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, sign)


def _prepare(cpus: Sequence[int] | None, cgroup: Path | None) -> None:
    """In the new process: its cgroup, its CPUs, SIGINT and the OOM killer as usual.

    A shell that starts its jobs in the background has them ignore SIGINT, and every child inherits
    that: a tracer could then not be stopped cleanly. guest_init.sh takes the agent, and only it, out of
    the OOM killer's choice.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "SCXVAL_DIE_WITH_AGENT" in os.environ:
        # On a host nothing may outlive a killed agent. Loaded only here: a guest dies as a whole.
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if cgroup:
        # 0 is the process that writes.
        (cgroup / "cgroup.procs").write_text("0", encoding="ascii")
    if cpus:
        os.sched_setaffinity(0, cpus)


def start(
    outcome: str,
    argv: list[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    cpus: Sequence[int] | None = None,
    cgroup: Path | None = None,
) -> Child:
    """Start a child; a command that cannot be executed stops the job with `outcome`."""
    try:
        return Child(argv, log, env, cpus, cgroup)
    except OSError as error:
        # Anything else (the log cannot be made) is a fault of the harness.
        if error.errno not in CANNOT_EXECUTE:
            raise
        why = f"the machine cannot execute {argv[0]}: {error.strerror}"
        raise Stop(outcome, why, "agent.log") from error


def in_folders(text: str, folders: Mapping[str, Path]) -> str:
    """An argument with folders put in for their names, such as {in}."""
    for name, folder in folders.items():
        text = text.replace(name, str(folder))
    return text


def read_growing(path: Path) -> bytes:
    """A file's contents; b"" when there is none yet. Raises OSError when it stays unreadable.

    On 9p a read beside an append can fail with ENODATA (Linux 7.2): the next one sees it.
    """
    for _ in range(5):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError:
            time.sleep(POLL_S)
    return path.read_bytes()


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Poll a condition until it holds or the limit is over."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(POLL_S)
    return condition()


def first_line(argv: Sequence[str], limit_s: float = 30.0) -> str:
    """The first line a command prints, for version records; "" when it cannot be had."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else ""
