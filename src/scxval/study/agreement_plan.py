# SPDX-License-Identifier: MIT
"""Which two tracers of one run (`a+b` on the tracer axis) are compared, and where the answer is written.

Cells that differ in the tracer are a family of scxval.compare.plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from scxval.catalog.model import Cell
from scxval.compare.plan import VERSUS

ROOT = "results/study/agreement"


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


def same_run_folder(cell: Cell, first: str, second: str) -> str:
    """Where the agreement of two parts of a run is written."""
    return f"{ROOT}/same_run/{cell.path}/{first}{VERSUS}{second}"
