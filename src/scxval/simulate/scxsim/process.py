# SPDX-License-Identifier: MIT
"""Runs the binary with a time limit, in an environment without the variables that change its model."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# SCX_SIM_SEED, SCX_SIM_NOISE, SCX_SIM_*_NS and so on; a table must follow from its provenance alone.
_MODEL = ("SCX_SIM_", "SCXSIM_")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Ended:
    """How a process ended. `exit_code` is negative for a signal, None when the limit was reached."""

    exit_code: int | None
    seconds: float


def environment() -> dict[str, str]:
    """The environment that the binary gets; warnings are on, as skipped events are only told there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_MODEL)}
    return {**kept, "RUST_LOG": "warn", "NO_COLOR": "1"}


def removed_variables() -> list[str]:
    """The names of variables that the binary does not get."""
    return sorted(name for name in os.environ if name.startswith(_MODEL))


def run(argv: list[str], folder: Path, stdout: Path, stderr: Path, limit_s: float) -> Ended:
    """Run in `folder`; nothing of the process's group is left afterwards. Raises OSError."""
    start = time.monotonic()
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    handle = os.pidfd_open(process.pid)
    try:
        ended = bool(select.select([handle], [], [], limit_s)[0])
    finally:
        os.close(handle)
        # Before it is waited for, so that its number is still that of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    return Ended(code if ended else None, time.monotonic() - start)


def _die_with_parent() -> None:
    """A workflow that is killed ends whoever called `run` without a word: nobody else would end this."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
