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
    parser.add_argument("--simulation", type=Path, help="folder of a simulation of the same")
    parser.add_argument("--output", type=Path, required=True, help="the trace to write")
    args = parser.parse_args(argv)
    return answer("scxval perfetto", partial(write, args.run, args.simulation, args.output))


def write(run: Path, simulation: Path | None, output: Path) -> None:
    """Write the trace of a run; one that has no events gives an empty file, which the log explains.

    A simulation that cannot be drawn is left out, with a line.
    """
    sides = []
    for folder in filter(None, (run, simulation)):
        try:
            sides.append(read_side(folder, str(folder)))
        except ScxvalError as error:
            print(error)
            if folder == run:
                output.parent.mkdir(parents=True, exist_ok=True)
                output.write_bytes(b"")
                return
    for note in export(sides, output).notes:
        print(note)


if __name__ == "__main__":
    sys.exit(main())
