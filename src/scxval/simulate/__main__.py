# SPDX-License-Identifier: MIT
"""`python -m scxval.simulate`: one simulation into its folder."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from scxval.errors import run_step
from scxval.simulate.parameters import read_parameters
from scxval.simulate.run import run_simulation
from scxval.simulate.spec import spec_from_json


def main() -> int:
    """Command line of the rule; trouble in a simulation is an outcome, not a failed job."""
    parser = argparse.ArgumentParser(prog="python -m scxval.simulate", description=__doc__)
    parser.add_argument("--spec", required=True, help="SimulationSpec as JSON")
    parser.add_argument("--workload", type=Path, nargs="?", help="the workload's rt-app file")
    parser.add_argument("--parameters", type=Path, nargs="?", help="a calibration's file")
    parser.add_argument(
        "--library",
        type=Path,
        nargs="?",
        help="what was compiled of the scheduler: <name>.so, or <name>.json beside where it would be",
    )
    parser.add_argument("--output", type=Path, required=True, help="the simulation's folder")
    return run_step(partial(_simulate, parser.parse_args()))


def _simulate(args: argparse.Namespace) -> None:
    spec = spec_from_json(args.spec, args.workload)
    library = args.library.with_suffix(".so") if args.library else None
    request = spec.request(read_parameters(args.parameters), library)
    found = run_simulation(request, args.output)
    print(f"{found.outcome}: {found.reason}" if found.reason else found.outcome)


if __name__ == "__main__":
    sys.exit(main())
