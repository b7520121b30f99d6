# SPDX-License-Identifier: MIT
"""The two ways scxval stops: the user can mend it (ScxvalError) or the harness is broken (HarnessError).

Trouble inside a cell is neither: it is an outcome, recorded in the cell's status.json.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
