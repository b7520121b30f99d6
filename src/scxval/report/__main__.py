# SPDX-License-Identifier: MIT
"""`python -m scxval.report`: builds the report page from the command line."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from scxval.errors import answer
from scxval.report import build_report


def main(argv: list[str] | None = None) -> int:
    """Parse arguments and build the page; 0, or 2 when an argument or the plan is at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.report", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the cells")
    parser.add_argument("--agreement", type=Path, help="folder of the tracers' agreement")
    parser.add_argument("--simulations", type=Path, help="folder of the simulations")
    parser.add_argument("--compare", type=Path, help="folder of the families' verdicts")
    parser.add_argument("--studies", type=Path, help="folder of the studies")
    parser.add_argument(
        "--study", nargs="*", help="the studies that must be there (default: those that are)"
    )
    parser.add_argument("--output", type=Path, required=True, help="the HTML page to write")
    parser.add_argument(
        "--window-ms", type=int, default=200, help="length of the timelines (default: 200)"
    )
    args = parser.parse_args(argv)
    step = partial(
        build_report,
        args.plan,
        args.runs,
        args.output,
        args.window_ms,
        args.agreement,
        args.simulations,
        args.compare,
        args.studies,
        args.study,
    )
    return answer("scxval report", step)


if __name__ == "__main__":
    sys.exit(main())
