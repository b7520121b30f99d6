# SPDX-License-Identifier: MIT
"""One simulation by scxsim: refused with a reason, or run in a private folder and converted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.catalog.outcomes import Outcome
from scxval.catalog.rtapp import read_json
from scxval.catalog.workload import simulator_refusal
from scxval.errors import ScxvalError
from scxval.events.capability import VIRTUAL_CLOCK, Capability
from scxval.events.table import empty_table
from scxval.files import sha256
from scxval.formats.scxsim.convert import convert
from scxval.simulate.base import Request, Simulated
from scxval.simulate.scxsim.ends import Told, judge, read_told
from scxval.simulate.scxsim.options import TRACE_FILES, Options, read_options
from scxval.simulate.scxsim.probe import NotUsableError, Probe, probe
from scxval.simulate.scxsim.process import Ended, removed_variables, run

WORKLOAD, STDOUT, STDERR, CALLS = "workload.json", "stdout.log", "stderr.log", "structops.jsonl"
_TAIL_LINES = 20
_TAIL_CHARS = 300
# What is read of its output: warnings come first, the end's reason last.
_OUTPUT_BYTES = 1 << 20
# Its --seed is a u32.
_MAX_SEED = (1 << 32) - 1
_TICK_NOTE = "scxsim ticks every 4 ms (HZ 250), whatever the machine's kernel does"


class _Unsupported(Exception):
    """The request cannot be simulated; the text is the reason."""


@dataclass(frozen=True)
class _Plan:
    """What is going to be run: `tags` are the keys that it does something else with, `not_taken` what of
    the real side it is not given."""

    options: Options
    probe: Probe
    arguments: list[str]
    tags: tuple[str, ...]
    not_taken: tuple[str, ...]


def simulate(request: Request, folder: Path) -> Simulated:
    """Simulate with the binary of the catalogue's entry; its files stay in `folder`/raw.

    Raises ScxvalError for options of the entry, or a workload file, that are at fault; anything else is
    an outcome with a reason.
    """
    options = read_options(request.simulator)
    try:
        plan = _plan(request, options)
    except (_Unsupported, NotUsableError) as error:
        return _not_run(Outcome.UNSUPPORTED, str(error), {})
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name in (*TRACE_FILES.values(), CALLS):
        (raw / name).unlink(missing_ok=True)
    _write_workload(request, raw / WORKLOAD)
    argv = [str(plan.probe.path), *plan.arguments]
    try:
        ended = run(argv, raw, raw / STDOUT, raw / STDERR, options.timeout_s)
    except OSError as error:
        reason = f"scxsim cannot be run: {error.strerror or error}"
        return _not_run(Outcome.SIMULATOR_FAILED, reason, {"scxsim": plan.probe.record()})
    return _conclude(request, plan, raw, ended)


def _plan(request: Request, options: Options) -> _Plan:
    """What to run. Raises _Unsupported and NotUsableError."""
    scheduler, machine, workload = request.scheduler, request.machine, request.workload
    if not scheduler.is_sched_ext:
        raise _Unsupported(
            f"{scheduler.name}: scxsim has sched_ext schedulers only; use another simulator for it"
        )
    if not 0 <= request.seed <= _MAX_SEED:
        raise _Unsupported(f"seed {request.seed}: scxsim takes 0 to {_MAX_SEED}")
    reasons = simulator_refusal(workload)
    if reasons and (workload.file is None or not options.tag):
        hint = "" if workload.file is None else "; `tag: true` in its options runs it all the same"
        raise _Unsupported(f"workload {workload.name}: {'; '.join(reasons)}{hint}")
    known = probe(request.simulator.binary)
    name = scheduler.name.removeprefix("scx_")
    if known.schedulers is not None and name not in known.schedulers:
        listed = ", ".join(known.schedulers) or "none"
        raise _Unsupported(f"{scheduler.name}: this scxsim does not have it (it lists: {listed})")
    lacking = [f for f in options.clock_flags if f.startswith("--") and f not in known.flags]
    if lacking:
        raise _Unsupported(
            f"clock {options.clock}: this scxsim has no {lacking[0]}; build a newer one, or set `clock` "
            "of the simulator's options"
        )
    smt = ["--smt", str(machine.threads)] if machine.threads > 1 and "--smt" in known.flags else []
    arguments = [
        *("run", WORKLOAD, "-s", name, "-c", str(machine.vcpus), *smt),
        *("--seed", str(request.seed), known.duration_flag, f"{request.seconds}s"),
        *options.clock_flags,
        *("--trace-format", options.trace_format),
        *("--perfetto", TRACE_FILES[options.trace_format], "--structops-jsonl", CALLS),
    ]
    return _Plan(options, known, arguments, reasons, _not_taken(request, bool(smt)))


def _not_taken(request: Request, smt: bool) -> tuple[str, ...]:
    """What the real side has and the simulator is not given."""
    scheduler, machine = request.scheduler, request.machine
    told = []
    if scheduler.args:
        told.append(
            f"arguments of {scheduler.name} ({' '.join(scheduler.args)}): scxsim has settings of its own"
        )
    if scheduler.files:
        told.append(f"files of {scheduler.name} ({', '.join(f.name for f in scheduler.files)})")
    if machine.llcs > 1:
        told.append(f"{machine.llcs} last-level caches of {machine.name}")
    if machine.threads > 1 and not smt:
        told.append(f"{machine.threads} hardware threads a core of {machine.name}")
    return tuple(told)


def _write_workload(request: Request, path: Path) -> None:
    """The workload with its duration as an integer: scxsim takes any other for 10 s."""
    assert request.workload.file is not None
    data = read_json(request.workload.file)
    settings = {**data.get("global", {}), "duration": request.seconds}
    path.write_text(json.dumps({**data, "global": settings}, indent=1) + "\n", encoding="utf-8")


def _conclude(request: Request, plan: _Plan, raw: Path, ended: Ended) -> Simulated:
    told = read_told(_ends_of(raw / STDOUT), _ends_of(raw / STDERR))
    outcome, reason = judge(ended.exit_code, told, plan.options.timeout_s)
    trace = raw / TRACE_FILES[plan.options.trace_format]
    table, capability, fault = _converted(trace)
    # A scheduler that is not the one asked for leaves nothing that may bear the cell's name.
    if outcome is Outcome.SCHEDULER_REJECTED:
        table, capability = empty_table(), _nothing([reason])
    elif outcome is Outcome.OK and fault:
        outcome, reason = Outcome.SIMULATOR_FAILED, f"scxsim ended well, but {fault}"
    notes = [*_notes(plan, told), *([] if outcome is Outcome.OK else [f"{outcome}: {reason}"])]
    capability = replace(capability, notes=[*_lines(notes), *capability.notes])
    log = "" if outcome is Outcome.OK else STDERR
    return Simulated(
        outcome=outcome,
        reason=reason,
        policy="code" if table.num_rows else "",
        table=table,
        capability=capability,
        window_ns=_window(request, outcome, capability),
        exit_code=ended.exit_code,
        log=log,
        log_tail=_tail(raw / log) if log else (),
        facts=_facts(request, plan, raw, ended, told),
    )


def _converted(trace: Path) -> tuple[pa.Table, Capability, str]:
    """What the trace holds, and "" or why it is not all of it."""
    if not trace.is_file():
        return empty_table(), _nothing([]), f"wrote no {trace.name}"
    try:
        made = convert(trace)
    except ScxvalError as error:
        text = " ".join(str(error).replace(str(trace), trace.name).split())
        return empty_table(), _nothing([text]), f"its trace cannot be read: {text}"
    record = made.capability
    if record.unparsed:
        example = record.examples[0] if record.examples else ""
        fault = f"{record.unparsed} records of {trace.name} cannot be read ({example})"
    else:
        fault = "" if record.events else f"{trace.name} holds no events"
    return made.table, record, fault


def _notes(plan: _Plan, told: Told) -> list[str]:
    asked = plan.options.clock_mode
    notes = [_TICK_NOTE]
    notes += [f"simulated otherwise than it runs: {tag}" for tag in plan.tags]
    notes += [f"scxsim warned: {line}" for line in told.skipped]
    notes += [f"not given to scxsim: {what}" for what in plan.not_taken]
    if not told.clock:
        notes.append(f"scxsim did not print its clock mode; {asked} was asked for")
    elif told.clock != asked:
        notes.append(
            f"clock mode {told.clock} instead of {asked}: compare only with runs of clock mode {told.clock}"
        )
    return notes


def _lines(notes: list[str]) -> list[str]:
    return [" ".join(note.split())[:900] for note in notes]


def _window(request: Request, outcome: Outcome, found: Capability) -> tuple[int, int] | None:
    """The workload's time: all of it, or up to where a simulation that failed came."""
    if outcome is Outcome.OK:
        return 0, request.seconds * 1_000_000_000
    return None if found.window_ns is None else (0, found.window_ns[1])


def _facts(request: Request, plan: _Plan, raw: Path, ended: Ended, told: Told) -> dict[str, Any]:
    outputs = [*TRACE_FILES.values(), CALLS, WORKLOAD]
    return {
        "scxsim": plan.probe.record(),
        "argv": [plan.probe.path.name, *plan.arguments],
        "environment": {"RUST_LOG": "warn", "removed": removed_variables()},
        "clock": {"asked": plan.options.clock_mode, "printed": told.clock or None},
        "seed": request.seed,
        "seconds": request.seconds,
        "wall_s": round(ended.seconds, 3),
        "timeout_s": plan.options.timeout_s,
        "workload_tags": list(plan.tags),
        "not_taken": list(plan.not_taken),
        "warnings": list(told.warnings),
        "skipped": list(told.skipped),
        "parameters": "not used: scxsim has a model of its own",
        "files": {
            name: {"bytes": (raw / name).stat().st_size, "sha256": sha256(raw / name)}
            for name in outputs
            if (raw / name).is_file()
        },
    }


def _not_run(outcome: Outcome, reason: str, facts: dict[str, Any]) -> Simulated:
    return Simulated(outcome, reason, "", empty_table(), _nothing([reason]), facts=facts)


def _nothing(notes: list[str]) -> Capability:
    return Capability("scxsim", [], clock=VIRTUAL_CLOCK, notes=_lines(notes))


def _ends_of(path: Path) -> str:
    """The first and the last bytes of a log."""
    with path.open("rb") as file:
        head = file.read(_OUTPUT_BYTES)
        size = path.stat().st_size
        if size > 2 * _OUTPUT_BYTES:
            file.seek(size - _OUTPUT_BYTES)
        tail = file.read()
    return (head + tail).decode("utf-8", "replace")


def _tail(path: Path) -> tuple[str, ...]:
    lines = _ends_of(path).splitlines()[-_TAIL_LINES:]
    return tuple(line[:_TAIL_CHARS] for line in lines)
