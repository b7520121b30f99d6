# SPDX-License-Identifier: MIT
"""The `scxval` command: doctor, cells, workloads, show, convert, simulate, compare, export, view, report.

Exit status: 0 fine, 1 something is missing or disagrees, 2 a mistake in what was asked for, 3 (compare)
nobody can tell.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from scxval import __version__
from scxval.catalog.config import PUBLISHED, Config, parse_config, read_config_files
from scxval.catalog.matrix import this_host
from scxval.catalog.model import Cell, cell_from_path
from scxval.errors import HarnessError, ScxvalError
from scxval.vm.space import available, needed

DEFAULT_CONFIG = Path("config/config.yaml")
PROBE = Path("resources/probe")
RUNS = Path("results/runs")
SIMULATIONS = Path("results/sim")
AGREEMENT = Path("results/study/agreement")
COMPARE = Path("results/compare")
STUDIES = Path("results/study")
SIMULATORS = Path("resources/simulators")


def main(argv: list[str] | None = None) -> int:
    """Entry point of the command."""
    args = _parser().parse_args(argv)
    try:
        status: int = args.command(args)
    except (ScxvalError, HarnessError) as error:
        print(f"scxval: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scxval", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"scxval {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    cache = commands.add_parser("cache", help="how large the shared cache is; remove what is old")
    cache.add_argument("--folder", type=Path, help="default: SCXVAL_CACHE of the environment")
    cache.add_argument("--unused-days", type=float, help="remove what was not taken for so long")
    cache.set_defaults(command=cache_command)

    doctor = commands.add_parser("doctor", help="what works here, what is missing, how to mend it")
    doctor.set_defaults(command=doctor_command)

    cells = commands.add_parser(
        "cells", help="planned cells, why others are excluded, how long they take"
    )
    _config_arguments(cells)
    cells.set_defaults(command=cells_command)

    workloads = commands.add_parser(
        "workloads", help="the catalogue's workloads, their questions, what the simulator can take"
    )
    _config_arguments(workloads)
    workloads.set_defaults(command=workloads_command)

    show = commands.add_parser("show", help="how a cell ended, and where its files are")
    show.add_argument(
        "cell", help="scheduler/workload/tracer/isolation/machine/rep<k>, or its folder"
    )
    show.add_argument("--runs", type=Path, default=RUNS)
    show.set_defaults(command=show_command)

    convert = commands.add_parser("convert", help="any known trace file to an event table")
    convert.add_argument("trace", type=Path, nargs="?", help="a trace, or a run's (raw) folder")
    convert.add_argument("--list", action="store_true", help="the formats that are known")
    convert.add_argument(
        "-o",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="write events.parquet and capability.json",
    )
    convert.add_argument("--events", type=Path, help="default: TRACE.events.parquet")
    convert.add_argument("--capability", type=Path, help="default: TRACE.capability.json")
    convert.set_defaults(command=convert_command)

    simulate = commands.add_parser("simulate", help="one simulation, without Snakemake")
    simulate.add_argument("workload", help="a workload of the catalogue, or an rt-app file")
    simulate.add_argument("--scheduler", required=True, help="of the catalogue")
    simulate.add_argument("--cpus", type=int, help="CPUs of the simulated machine (default: 4)")
    simulate.add_argument("--machine", help="simulate this machine of the catalogue instead")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--simulator", default="builtin")
    simulate.add_argument(
        "--parameters", type=Path, help="a machine's parameters, such as a calibration's file"
    )
    simulate.add_argument("--output", type=Path, required=True, metavar="DIR")
    _config_arguments(simulate)
    simulate.set_defaults(command=simulate_command)

    compare = commands.add_parser(
        "compare", help="whether any two agree: cells, simulations, event tables, traces"
    )
    compare.add_argument("a", metavar="A", help="a cell with or without rep<k>, a folder or a file")
    compare.add_argument("b", metavar="B", help="the same")
    compare.add_argument(
        "--workload", type=Path, help="the rt-app file, where neither side names its workload"
    )
    compare.add_argument(
        "--output", type=Path, metavar="DIR", help="keep verdicts.json, tables and alignment"
    )
    _config_arguments(compare)
    compare.set_defaults(command=compare_command)

    export = commands.add_parser(
        "export", help="a cell's events as a trace for the Perfetto UI or chrome://tracing"
    )
    _trace_arguments(export)
    export.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="X.pftrace, or X.json"
    )
    export.set_defaults(command=export_command)

    view = commands.add_parser("view", help="a cell's events in the Perfetto UI, without network")
    _trace_arguments(view)
    view.add_argument("--port", type=int, default=9002, help="0: any (default: 9002)")
    view.add_argument("--no-browser", action="store_true", help="only say where it is")
    view.set_defaults(command=view_command)

    history = commands.add_parser("history", help="results over many nights")
    _history_arguments(history)
    history.set_defaults(command=history_command)

    publish = commands.add_parser(
        "publish", help="a study of these results: archive, tables, figures and claims"
    )
    publish.add_argument("--results", type=Path, default=Path("results"))
    publish.add_argument("--output", type=Path, default=Path(PUBLISHED), metavar="DIR")
    publish.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    _config_arguments(publish)
    publish.set_defaults(command=publish_command)

    report = commands.add_parser("report", help="the report again, from what has been run so far")
    report.add_argument("--plan", type=Path, default=Path("results/plan.json"))
    report.add_argument("--runs", type=Path, default=RUNS)
    report.add_argument("--compare", type=Path, default=COMPARE)
    report.add_argument("--studies", type=Path, default=STUDIES)
    report.add_argument("--output", type=Path, default=Path("results/report/index.html"))
    report.add_argument("--window-ms", type=int, default=200)
    report.set_defaults(command=report_command)
    return parser


def _trace_arguments(parser: argparse.ArgumentParser) -> None:
    """Add CELL and --with, what is drawn."""
    parser.add_argument("cell", help="a cell, sim/<simulation>, a folder of one, an event table")
    parser.add_argument(
        "--with",
        dest="beside",
        nargs="+",
        default=[],
        metavar="CELL",
        help="others on the same axis, such as sim/builtin/...",
    )


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --configfile and --config, what `config_from` takes."""
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as Snakemake's"
    )


def _history_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(required=True, metavar="STEP", dest="step")
    adding = steps.add_parser(
        "add", help="add all runs of a folder; those that are there stay as they are"
    )
    adding.add_argument("--runs", type=Path, default=RUNS)
    steps.add_parser("list", help="the nights, and how their runs ended")
    trend = steps.add_parser("trend", help="the page, and the changes as JSON, CSV and Parquet")
    trend.add_argument("--page", type=Path, default=Path("results/report/trend.html"))
    trend.add_argument("--output", type=Path, default=Path("results/history"), metavar="DIR")
    exporting = steps.add_parser("export", help="all runs and readings as CSV and Parquet")
    exporting.add_argument("--output", type=Path, required=True, metavar="DIR")
    for step in steps.choices.values():
        step.add_argument("--store", type=Path, help="default: history.store of the configuration")
        _config_arguments(step)


def history_command(args: argparse.Namespace) -> int:
    """One step of the history; 1 when a trend has regressions that nothing but the measuring explains."""
    from scxval.history import command
    from scxval.history.page import write_trend
    from scxval.history.trend import read_trend

    config = config_from(args.configfile, args.config)
    store = args.store or Path(config.history.store)
    if args.step == "add":
        lines = command.add_runs(store, args.runs, command.paths_below(args.runs), config.compare)
    elif args.step == "list":
        lines = command.list_nights(store, config.history)
    elif args.step == "export":
        lines = [str(file) for file in command.export(store, args.output)]
    else:
        trend = read_trend(store, config.compare, config.history)
        write_trend(trend, args.page, args.output)
        lines = [
            f"{s.place}  {s.what}: {c.before:.4g} to {c.after:.4g} {s.unit}"
            for s, c in trend.regressions
            if not c.explained
        ]
        print("\n".join([*lines, f"{len(lines)} regressions, {args.page}"]))
        return int(bool(lines))
    print("\n".join(lines))
    return 0


def cache_command(args: argparse.Namespace) -> int:
    """Say how large a cache is, after removing old entries where that is asked for."""
    from scxval import cache

    place = args.folder or cache.folder()
    if place is None or not place.is_dir():
        raise ScxvalError(f"no cache at {place}: name its folder with --folder or SCXVAL_CACHE")
    if args.unused_days is not None:
        count, removed_bytes = cache.prune(place, args.unused_days)
        print(f"{count} entries removed, {removed_bytes >> 20} MiB")
    found = list(cache.entries(place))
    print(f"{len(found)} entries, {sum(size for _, size, _ in found) >> 20} MiB in {place}")
    return 0


def doctor_command(_: argparse.Namespace) -> int:
    """Print every check; 1 when something is missing without which nothing runs."""
    from scxval.doctor import examine, format_findings

    findings = examine(Path.cwd())
    print(format_findings(findings))
    return int(any(finding.fatal and not finding.ok for finding in findings))


def publish_command(args: argparse.Namespace) -> int:
    """Make a published study; nothing of it is there before all of it is."""
    from scxval.published.study import publish

    raw = raw_config(args.configfile, args.config)
    print(publish(args.results, raw, args.output, args.cores))
    return 0


def config_from(files: list[Path], pairs: list[str]) -> Config:
    """The configuration as Snakemake would see it: default file, other files, KEY=VALUE pairs."""
    return parse_config(raw_config(files, pairs), Path.cwd())


def raw_config(files: list[Path], pairs: list[str]) -> dict[str, Any]:
    """The same before it is checked."""
    raw = read_config_files([DEFAULT_CONFIG, *files])
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ScxvalError(f"--config {pair!r}: expected KEY=VALUE")
        value: Any = yaml.safe_load(text)
        if isinstance(value, dict) and isinstance(raw.get(key), dict):
            value = {**raw[key], **value}
        raw[key] = value
    return raw


def cells_command(args: argparse.Namespace) -> int:
    """List the plan, what its budget chose, and how long the rest will take."""
    from scxval.planning.command import sweep

    config = config_from(args.configfile, args.config)
    found = sweep(config, this_host(PROBE), RUNS.parent)
    for line in found.listing():
        print(line)
    for line in found.summary():
        print(line, file=sys.stderr)
    print(space_line(found.planned.plan.cells, config), file=sys.stderr)
    return 0


def space_line(cells: list[Cell], config: Config) -> str:
    """What the cells need at one machine at a time, and what is there; Snakemake checks it too."""
    need, have = needed(cells, config.catalog, machines_at_once=1), available(Path.cwd())
    return (
        f"about {need.disk_mib} MiB of disk ({have.disk_mib} MiB free) and {need.memory_mib} MiB of "
        f"memory ({have.memory_mib} MiB available) for all of them, one machine at a time"
    )


def workloads_command(args: argparse.Namespace) -> int:
    """List the workloads of the catalogue."""
    from scxval.catalog.workload import simulator_refusal
    from scxval.simulate.builtin.subset import builtin_refusal

    workloads = config_from(args.configfile, args.config).catalog.workloads
    taken = {"builtin": 0, "scxsim": 0}
    for workload in workloads.values():
        refusals = {"builtin": builtin_refusal(workload), "scxsim": simulator_refusal(workload)}
        words = ", ".join(f"{name} {'no' if why else 'yes'}" for name, why in refusals.items())
        print(f"{workload.name}  {workload.kind}  simulators: {words}")
        print(f"    {workload.about}")
        for name, why in refusals.items():
            taken[name] += not why
            for reason in why:
                print(f"    not for {name}: {reason}")
    counts = ", ".join(f"{count} for {name}" for name, count in taken.items())
    print(f"{len(workloads)} workloads, {counts}", file=sys.stderr)
    return 0


def simulate_command(args: argparse.Namespace) -> int:
    """One simulation into a folder; 1 when it did not end ok."""
    from scxval.simulate.command import Asked, simulate_asked

    config = config_from(args.configfile, args.config)
    asked = Asked(
        args.workload,
        args.scheduler,
        args.machine,
        args.cpus,
        args.seed,
        args.simulator,
        args.parameters,
    )
    found = simulate_asked(asked, config, SIMULATORS, args.output)
    print(f"{found.outcome}{f': {found.reason}' if found.reason else ''}")
    print(f"  decisions  {found.policy or '-'}")
    print(f"  events     {found.table.num_rows}")
    print(f"  files      {args.output}")
    return int(found.outcome != "ok")


def compare_command(args: argparse.Namespace) -> int:
    """Compare two; 0 agree, 1 disagree, 3 when nobody can tell."""
    from scxval.compare.command import Asked, compare_asked, write_all
    from scxval.compare.text import exit_status, lines

    config = config_from(args.configfile, args.config)
    asked = Asked(args.a, args.b, (RUNS, SIMULATIONS), args.workload)
    with tempfile.TemporaryDirectory(prefix="scxval-compare-") as scratch:
        # The record names the folders that tables and traces are unpacked to: kept, they stay with it.
        unpacked = Path(scratch) if args.output is None else args.output / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        record, compared = compare_asked(asked, config, unpacked)
        if args.output is not None:
            write_all(record, compared, args.output)
    print("\n".join(lines(record)))
    if args.output is not None:
        print(f"  files      {args.output}")
    return exit_status(record["verdict"])


def show_command(args: argparse.Namespace) -> int:
    """Print one cell's status; 1 when it did not end ok."""
    try:
        cell = cell_from_path(args.cell)
    except ValueError as error:
        raise ScxvalError(str(error)) from error
    folder = args.runs / cell.path
    path = folder / "status.json"
    if not path.exists():
        raise ScxvalError(f"{cell.path} has not been run: no {path}")
    status = json.loads(path.read_text(encoding="utf-8"))
    print(f"{cell.path}: {status['outcome']}")
    if status["reason"]:
        print(f"  reason      {status['reason']}")
    print(f"  exit codes  {_pairs(status['exit_codes'])}")
    print(f"  wall        {_pairs(status['wall_s'])} (seconds)")
    for when in ("before", "after"):
        if status["scheduler"][when]:
            print(f"  sched_ext   {when} the workload: {_pairs(status['scheduler'][when])}")
    parts = status["tracer"].get("parts", {})
    for name, tracer in parts.items() or [("", status["tracer"])]:
        print(f"  tracer      {f'{name}: ' if name else ''}{_pairs(tracer)}")
    print(f"  files       {folder}")
    for name, entry in status["raw"].items():
        print(f"              raw/{name} ({entry['bytes']} bytes)")
    if status["log_tail"]:
        print(f"  raw/{status['log']} ends with")
        for line in status["log_tail"]:
            print(f"    {line}")
    if status["outcome"] != "ok":
        print(f"  again       snakemake --forcerun {path}, with --config as before")
    return int(status["outcome"] != "ok")


def _pairs(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'-' if value is None else value}" for name, value in record.items())


def convert_command(args: argparse.Namespace) -> int:
    """Convert one file, or list the formats."""
    from scxval.tracers.outside import convert_outside, find_trace, formats, outputs

    if args.list:
        print("\n".join(formats()))
        return 0
    if args.trace is None:
        raise ScxvalError("convert: name a trace; --list shows the formats that are known")
    trace = find_trace(args.trace)
    where = outputs(args.trace, args.folder, args.events, args.capability)
    print(convert_outside(trace, where))
    return 0


def export_command(args: argparse.Namespace) -> int:
    """Write a trace."""
    from scxval.perfetto.command import export, find_sides

    made = export(find_sides([args.cell, *args.beside], (RUNS, SIMULATIONS)), args.output)
    print(f"{args.output}: {made.size} bytes of {made.rows} events")
    for note in made.notes:
        print(f"  note       {note}")
    return 0


def view_command(args: argparse.Namespace) -> int:
    """Show a trace until the user interrupts."""
    from scxval.perfetto.command import find_sides, view

    sides = find_sides([args.cell, *args.beside], (RUNS, SIMULATIONS))
    view(sides, args.port, browser=not args.no_browser)
    return 0


def report_command(args: argparse.Namespace) -> int:
    """Build the report from whatever is there."""
    from scxval.report.page import build_report

    build_report(
        args.plan,
        args.runs,
        args.output,
        args.window_ms,
        agreement_root=AGREEMENT,
        simulations_root=SIMULATIONS,
        compare_root=args.compare,
        studies_root=args.studies,
    )
    print(args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
