# SPDX-License-Identifier: MIT
"""`python -m scxval.perfetto`: a run's trace for the Perfetto UI, with a simulation's beside it."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from scxval.errors import ScxvalError, answer
from scxval.perfetto.command import export
from scxval.perfetto.side import read_side


def main(argv: list[str] | None = None) -> int:
    """Parse arguments and write the trace; 0, or 2 when an argument or a run is at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.perfetto", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a run")
    parser.add_argument(
        "--simulation", type=Path, nargs="?", help="folder of a simulation of the same; none: none"
    )
    parser.add_argument("--output", type=Path, required=True, help="the trace to write")
    args = parser.parse_args(argv)
    return answer("scxval perfetto", partial(write, args.run, args.simulation, args.output))


def write(run: Path, simulation: Path | None, output: Path) -> None:
    """Write the trace of a run. What cannot be drawn of it, or of the simulation, is a line in the trace."""
    sides, absent = [], []
    for folder in filter(None, (run, simulation)):
        try:
            sides.append(read_side(folder, str(folder)))
        except ScxvalError as error:
            absent.append(str(error))
    for note in export(sides, output, absent).notes:
        print(note)


if __name__ == "__main__":
    sys.exit(main())
