# SPDX-License-Identifier: MIT
"""Which pairs of tracers a plan lets one compare, and where the answer of each is written.

Two parts of one run (`a+b` on the tracer axis), or the runs of cells that differ in the tracer only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from scxval.catalog.model import Cell

ROOT = "results/study/agreement"
# Between two tracers in the name of a folder.
VERSUS = "_vs_"


def same_run(
    cells: Iterable[Cell], parts: Callable[[str], Sequence[str]]
) -> list[tuple[Cell, str, str]]:
    """Every pair of parts of every cell with several; `parts` gives those of a tracer axis value
    that make events.
    """
    return [
        (cell, first, second)
        for cell in cells
        for first, second in itertools.combinations(parts(cell.tracer), 2)
    ]


def different_runs(
    cells: Iterable[Cell], parts: Callable[[str], Sequence[str]]
) -> list[tuple[tuple[str, str, str, str], str, str]]:
    """(scheduler, workload, isolation, machine) and two tracers that have cells there.

    Combinations are left out: beside another tracer a tracer's run is not its own.
    """
    tracers: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for cell in cells:
        if list(parts(cell.tracer)) == [cell.tracer]:
            where = (cell.scheduler, cell.workload, cell.isolation, cell.machine)
            tracers.setdefault(where, {})[cell.tracer] = None
    return [
        (where, first, second)
        for where, found in tracers.items()
        for first, second in itertools.combinations(found, 2)
    ]


def same_run_folder(cell: Cell, first: str, second: str) -> str:
    """Where the agreement of two parts of a run is written."""
    return f"{ROOT}/same_run/{cell.path}/{first}{VERSUS}{second}"


def different_runs_folder(where: tuple[str, str, str, str], first: str, second: str) -> str:
    """Where the agreement of two tracers over different runs is written."""
    return "/".join([ROOT, "different_runs", *where, f"{first}{VERSUS}{second}"])
