# SPDX-License-Identifier: MIT
"""The report: one self-contained HTML page from the plan and the files that the runs left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def build_report(
    plan: Path,
    runs: Path,
    output: Path,
    window_ms: int,
    agreement: Path | None = None,
    simulations: Path | None = None,
    compare: Path | None = None,
    studies: Path | None = None,
    asked: Sequence[str] | None = None,
) -> None:
    """Write the page `output` from `plan` (plan.json) and the cells under `runs`, and tables/ beside it.

    `window_ms` is the length of the per-CPU timeline, `agreement` the folder of the study of that name,
    `simulations` that of the simulations, `compare` that of the families of comparisons, `studies` that
    of the studies, `asked` the studies that the configuration names (None: those that are there).
    The same inputs give the same bytes. Raises ScxvalError when the plan cannot be read; a cell's missing
    or unreadable file is shown in the page instead.
    """
    # Imported late: --help and the workflow's parsing must not pay for Arrow and Jinja.
    from scxval.report import page

    page.build_report(
        plan, runs, output, window_ms, agreement, simulations, compare, studies, asked
    )
