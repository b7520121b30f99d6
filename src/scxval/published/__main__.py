# SPDX-License-Identifier: MIT
"""`python -m scxval.published`: the steps of rules/published.smk.

`rebuild` and `remeasure` write what they found, whatever it is; `say` reads it and fails. They are two steps
because Snakemake removes what a failed job made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scxval.errors import ScxvalError, run_step
from scxval.files import read_record
from scxval.published.study import rebuild, remeasure

STEPS = {"rebuild": rebuild, "remeasure": remeasure}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the rules; 0, or 1 for what is not as it was published, or cannot be told."""
    parser = argparse.ArgumentParser(prog="python -m scxval.published", description=__doc__)
    steps = parser.add_subparsers(required=True, dest="step")
    for name in STEPS:
        step = steps.add_parser(name)
        step.add_argument("--published", type=Path, required=True)
        step.add_argument("--cores", type=int, required=True)
        step.add_argument("--output", type=Path, required=True, help="the record")
    saying = steps.add_parser("say")
    saying.add_argument("record", type=Path)
    saying.add_argument("--log", type=Path, required=True)
    args = parser.parse_args(argv)
    if args.step == "say":
        return run_step(lambda: _say(args.record, args.log))
    return run_step(lambda: _write(args))


def _write(args: argparse.Namespace) -> None:
    folder = args.output.parent
    STEPS[args.step](args.published, folder, args.cores).write(args.output)


def _say(path: Path, log: Path) -> None:
    """Print what a record says, to the terminal too. Raises ScxvalError when it did not pass."""
    record = read_record(path, "record")
    text = "\n".join([*record["lines"], record["summary"]])
    log.write_text(f"{text}\n", encoding="utf-8")
    print(text)
    if not record["passed"]:
        raise ScxvalError(f"{record['summary']}; {path.parent} has what was made")


if __name__ == "__main__":
    sys.exit(main())
