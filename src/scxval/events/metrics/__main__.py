# SPDX-License-Identifier: MIT
"""`python -m scxval.events.metrics`: one cell's events.parquet to its metrics.parquet."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from scxval.catalog.model import Result
from scxval.catalog.outcomes import Outcome
from scxval.catalog.rtapp import read_rtapp
from scxval.errors import ScxvalError, answer
from scxval.events.capability import Capability, read_capability
from scxval.events.metrics.outputs import workload_outputs
from scxval.events.metrics.reduce import METRIC_SCHEMA, measure, write_metrics
from scxval.events.metrics.rows import COLUMNS
from scxval.events.metrics.workload import rtapp_comms
from scxval.events.table import read_events


@dataclass(frozen=True)
class _Status:
    outcome: Outcome
    window_ns: tuple[int, int] | None


def main(argv: list[str] | None = None) -> int:
    """Measure one cell; 0 when the file is written, 2 with one line on stderr for bad input."""
    return answer("scxval", partial(_measure, _parser().parse_args(argv)))


def _measure(args: argparse.Namespace) -> None:
    write_metrics(_table(args), args.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scxval.events.metrics", description=__doc__)
    parser.add_argument("--events", type=Path, required=True, help="events.parquet")
    parser.add_argument("--capability", type=Path, required=True, help="capability.json")
    parser.add_argument("--status", type=Path, required=True, help="status.json: outcome, window")
    parser.add_argument("--output", type=Path, required=True, help="metrics.parquet to write")
    parser.add_argument(
        "--workload",
        type=Path,
        nargs="?",
        help="rt-app file: adds the scope `workload`, its threads alone",
    )
    parser.add_argument(
        "--raw", type=Path, help="the cell's raw/: adds what the workload says of itself"
    )
    parser.add_argument(
        "--result", type=json.loads, help="with --raw: the workload's `result` entry, as JSON"
    )
    parser.add_argument(
        "--cpus", nargs="?", help="the machine's CPUs, such as 0-3; default: those in the trace"
    )
    return parser


def _table(args: argparse.Namespace) -> pa.Table:
    status = _status(args.status)
    if not status.outcome.has_events:
        # A failed run says nothing about the scheduler and workload that it is named after.
        return METRIC_SCHEMA.empty_table()
    if status.window_ns is None:
        raise ScxvalError(
            f"{args.status}: outcome {status.outcome} without window_ns: when did the workload run?"
        )
    table = measure(
        read_events(args.events, COLUMNS),
        _capability(args.capability),
        status.window_ns,
        parse_cpus(args.cpus) if args.cpus else None,
        rtapp_comms(args.workload) if args.workload else None,
    )
    if not args.raw:
        return table
    file = read_rtapp(args.workload) if args.workload else None
    outputs = workload_outputs(args.raw, file, Result(**args.result) if args.result else None)
    for warning in outputs.warnings:
        print(f"scxval: {warning}", file=sys.stderr)
    return pa.concat_tables([table, outputs.table])


def _status(path: Path) -> _Status:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        window = data["window_ns"]
        span = None if window is None else (int(window[0]), int(window[1]))
        return _Status(Outcome(data["outcome"]), span)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ScxvalError(f"{path}: not a status.json: {error!r}") from error


def _capability(path: Path) -> Capability:
    try:
        return read_capability(path)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a capability.json: {error!r}") from error


def parse_cpus(text: str) -> list[int]:
    """Read a list of CPUs as the kernel writes it (`0-3,6`); ScxvalError for anything else."""
    cpus: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ScxvalError(f"--cpus {text!r}: expected a list such as 0-3,6")
        cpus.update(range(int(first), int(last or first) + 1))
    return sorted(cpus)


if __name__ == "__main__":
    sys.exit(main())
