# SPDX-License-Identifier: MIT
"""Whether a guest's clocks moved against each other while its workload ran.

The agent reads CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME together at each of its marks
(scxval.agent.clocks). A suspend moves BOOTTIME against MONOTONIC, a step or a slew REALTIME; times of
such a run are of no one clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FIRST, _LAST = "work-start", "work-end"
_OTHERS = {"boot_ns": "BOOTTIME", "real_ns": "REALTIME"}


def moved(marks: Sequence[Mapping[str, Any]], step_ns: int) -> str | None:
    """How the clocks moved between the workload's marks by more than `step_ns`; "" if they did not.

    None: nobody knows, because a mark is not there. Two readings of one mark lie up to its
    `spread_ns` apart, so that both marks' spreads are allowed on top.
    """
    names = [mark.get("mark") for mark in marks]
    if _FIRST not in names or _LAST not in names:
        return None
    first = marks[names.index(_FIRST)]
    try:
        for mark in marks[names.index(_FIRST) + 1 : names.index(_LAST) + 1]:
            allowed = step_ns + first["spread_ns"] + mark["spread_ns"]
            for key, name in _OTHERS.items():
                step = (mark[key] - mark["mono_ns"]) - (first[key] - first["mono_ns"])
                if abs(step) > allowed:
                    return (
                        f"CLOCK_{name} moved by {step / 1e6:.3f} ms against CLOCK_MONOTONIC from mark "
                        f"{_FIRST} to {mark['mark']}; {allowed / 1e6:.3f} ms are allowed (clock_step_ns)"
                    )
    except (KeyError, TypeError):
        return None
    return ""
