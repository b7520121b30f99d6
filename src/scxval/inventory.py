# SPDX-License-Identifier: MIT
"""results/inventory.json: every table that a sweep made, with its digest.

Report, studies, summary and history are made from all cells. They depend on this one file, not on four
files of each cell, which would be 400,000 dependencies for 10,000 cells. When a table has another content,
so has the inventory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from scxval.errors import ScxvalError, answer
from scxval.files import read_record, sha256, write_json

SCHEMA = 1
# Of a run or a simulation, in the order of the stages (docs/contracts.md).
NAMES = (
    "status.json",
    "provenance.json",
    "capability.json",
    "events.parquet",
    "metrics.parquet",
    "stats.parquet",
)
# What each of several tracers has, in parts/<tracer>/.
PARTS = ("capability.json", "events.parquet")


def inventory(folder: Path, paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """sha256 of every table of each path below the folder, by its name there. Raises OSError."""
    return {path: dict(_digests(folder / path)) for path in paths}


def _digests(place: Path) -> Iterable[tuple[str, str]]:
    own = [place / name for name in NAMES]
    parts = [part / name for part in sorted(place.glob("parts/*")) for name in PARTS]
    for file in (*own, *parts):
        if file.is_file():
            yield file.relative_to(place).as_posix(), sha256(file)


def write_inventory(plan: Path, runs: Path, simulations: Path, output: Path) -> None:
    """Digests of all that a plan names. Raises ScxvalError for a plan that cannot be read."""
    planned = read_record(plan, "plan")
    try:
        cells, simulated = planned["cells"], planned["simulations"]
    except KeyError as error:
        raise ScxvalError(f"{plan}: not a plan: no {error}") from error
    found = {
        "schema": SCHEMA,
        "runs": inventory(runs, cells),
        "simulations": inventory(simulations, simulated),
    }
    write_json(output, found)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the rule; 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scxval.inventory", description=__doc__)
    for name in ("plan", "runs", "simulations", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args(argv)
    call = partial(write_inventory, args.plan, args.runs, args.simulations, args.output)
    return answer("scxval inventory", call)


if __name__ == "__main__":
    sys.exit(main())
