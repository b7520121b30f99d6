# SPDX-License-Identifier: MIT
"""Which two tracers of one run are compared."""

from __future__ import annotations

from scxval.catalog.model import Cell, cell_from_path
from scxval.study.agreement_plan import ROOT, same_run, same_run_folder


def cells(*tracers: str, scheduler: str = "fair", reps: int = 2) -> list[Cell]:
    return [
        Cell(scheduler, "mix", tracer, "taskset", "tcg4", rep)
        for tracer in tracers
        for rep in range(reps)
    ]


def parts(tracer: str) -> list[str]:
    """scx-stats and none make no events."""
    return [name for name in tracer.split("+") if name not in ("none", "scx-stats")]


def test_every_two_parts_of_every_repetition_are_compared() -> None:
    found = same_run(cells("a+b+c", "a", "none", "a+scx-stats"), parts)
    assert [(cell.rep, *pair) for cell, *pair in found] == [
        (rep, *pair) for rep in (0, 1) for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    cell, first, second = found[0]
    folder = same_run_folder(cell, first, second)
    assert folder == f"{ROOT}/same_run/fair/mix/a+b+c/taskset/tcg4/rep0/a_vs_b"
    assert cell_from_path(folder.rpartition("/")[0]) == cell


def test_one_tracer_leaves_nothing_to_compare() -> None:
    assert same_run(cells("none", "a"), parts) == []
