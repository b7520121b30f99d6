# SPDX-License-Identifier: MIT
"""How many rows of a class two sources have, by CPU and by task, in the window that both cover."""

from __future__ import annotations

from typing import Any

import numpy as np

from scxval.study.agreement_align import I64
from scxval.study.agreement_rows import Comparable, Rows, Source

# Tasks with different counts that are listed, the greatest difference first.
MOST_TASKS = 20
SWITCH_INS = ("TaskScheduled", "CpuIdle")


def counts_by_cpu(a: Source, b: Source, rows: Comparable) -> list[dict[str, int]]:
    """Switch-ins of each CPU, to tasks and (where both sources see it) to idle."""
    wanted = [rows.classes.index(what) for what in SWITCH_INS if what in rows.classes]
    sides = []
    for source, own in ((a, rows.a), (b, rows.b)):
        here = np.isin(own.klass, wanted)
        sides.append(_counted(source.table["cpu"].to_numpy()[own.place[here]]))
    cpus = sorted(set(sides[0]) | set(sides[1]))
    return [{"cpu": cpu, "a": sides[0].get(cpu, 0), "b": sides[1].get(cpu, 0)} for cpu in cpus]


def counts_by_task(a: Source, b: Source, rows: Comparable, what: str) -> dict[str, Any]:
    """Rows of a class by tid: how many tasks there are, how many differ, and those that differ most."""
    if what not in rows.classes:
        return {"tasks": 0, "differing": 0, "most": []}
    number = rows.classes.index(what)
    sides = [_of_class(source, own, number) for source, own in ((a, rows.a), (b, rows.b))]
    counts = [_counted(tids) for tids, _ in sides]
    tids = sorted(set(counts[0]) | set(counts[1]))
    apart = {t: counts[1].get(t, 0) - counts[0].get(t, 0) for t in tids}
    most = sorted((t for t in tids if apart[t]), key=lambda t: (-abs(apart[t]), t))
    return {
        "tasks": len(tids),
        "differing": len(most),
        "most": [
            {
                "tid": t,
                "comm": _comm(t, (a, b), sides),
                "a": counts[0].get(t, 0),
                "b": counts[1].get(t, 0),
            }
            for t in most[:MOST_TASKS]
        ],
    }


def _of_class(source: Source, own: Rows, number: int) -> tuple[I64, I64]:
    """tid and place of a class's rows."""
    place = own.place[own.klass == number]
    return source.numbers("tid")[place].astype(np.int64), place


def _counted(values: I64) -> dict[int, int]:
    different, counts = np.unique(values, return_counts=True)
    return {int(v): int(n) for v, n in zip(different, counts, strict=True)}


def _comm(tid: int, sources: tuple[Source, Source], sides: list[tuple[I64, I64]]) -> str:
    """The task's name at its first such row."""
    for source, (tids, place) in zip(sources, sides, strict=True):
        here = place[tids == tid]
        if len(here):
            return source.table["comm"][int(here[0])].as_py() or ""
    return ""
