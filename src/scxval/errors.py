# SPDX-License-Identifier: MIT
"""The two ways scxval stops: the user can mend it (ScxvalError) or the harness is broken (HarnessError).

Trouble inside a cell is neither: it is an outcome, recorded in the cell's status.json.
"""

from __future__ import annotations

import difflib
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable


class ScxvalError(Exception):
    """Bad input: one line that says what, where and what to do. Ends a command with status 2."""


class HarnessError(Exception):
    """The machinery itself failed (no hypervisor, disk full, agent crashed): the job must fail."""


def unknown_name(what: str, name: object, allowed: Iterable[str]) -> ScxvalError:
    """One line naming an unknown value, its likely meaning and every allowed one."""
    known = sorted(allowed)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return ScxvalError(f"unknown {what} {name!r}{hint} Allowed: {', '.join(known)}.")


def answer(command: str, step: Callable[[], object]) -> int:
    """Do what a command is asked: 0, or 2 with one line on stderr that names it when input is at fault."""
    try:
        step()
    except ScxvalError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 2
    return 0


def run_step(step: Callable[[], None]) -> int:
    """Run a rule's step: 0, or 1 with one line on stderr for what a user can read and mend."""
    try:
        step()
    except (ScxvalError, HarnessError) as error:
        print(f"error: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"error: {shlex.join(error.cmd)} ended with {error.returncode}", file=sys.stderr)
    except FileNotFoundError as error:
        print(f"error: no {error.filename}; `scxval doctor` says what is missing", file=sys.stderr)
    else:
        return 0
    return 1
