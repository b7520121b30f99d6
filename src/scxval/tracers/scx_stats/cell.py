# SPDX-License-Identifier: MIT
"""What a cell's sampler left, as the cell's stats.parquet: the step of the workflow's rule `stats`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from scxval.errors import answer
from scxval.tracers.convert import convert_stats


def main(argv: list[str] | None = None) -> int:
    """Convert one cell's statistics; 0, or 2 when its files are at fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--status", type=Path, required=True, help="the cell's status.json")
    parser.add_argument("--raw", type=Path, required=True, help="the cell's raw folder")
    parser.add_argument("--part", required=True, help="the tracer that sampled them")
    parser.add_argument("--output", type=Path, required=True, help="table to write")
    args = parser.parse_args(argv)
    step = partial(convert_stats, args.status, args.raw, args.part, args.output)
    return answer("scxval stats", step)


if __name__ == "__main__":
    sys.exit(main())
