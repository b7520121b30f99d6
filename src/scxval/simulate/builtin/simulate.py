# SPDX-License-Identifier: MIT
"""One simulation by the embedded simulator: whose policy, on what machine, and what came of it.

The engine runs in a process of its own, which hands its records over in a file: a scheduler's code that
crashes or never returns takes nothing else with it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from scxval.catalog.model import Scheduler
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.table import empty_table
from scxval.files import sha256
from scxval.simulate.base import VIRTUAL_CLOCK, Request, Simulated
from scxval.simulate.builtin import settings
from scxval.simulate.builtin.api import record_dtype
from scxval.simulate.builtin.library import End, Library
from scxval.simulate.builtin.models import Kernel, attach, model_for
from scxval.simulate.builtin.program import Program, compile_workload
from scxval.simulate.builtin.records import SOURCE, to_events
from scxval.simulate.builtin.subset import builtin_refusal

RECORDS = "records.bin"
LOG = "simulator.log"
_TAIL_LINES = 20

_OUTCOMES = {
    End.DONE: Outcome.OK,
    End.EJECTED: Outcome.SCHEDULER_EJECTED,
    End.REFUSED: Outcome.SCHEDULER_REJECTED,
    End.BROKEN: Outcome.SIMULATOR_FAILED,
    End.RUNNING: Outcome.SIMULATOR_FAILED,
}


@dataclass(frozen=True)
class Choice:
    """Whose decisions: `code` or `model` with the library, or "" and why there are none."""

    policy: str
    library: Path | None = None
    record: dict[str, Any] | None = None
    why: str = ""


def no_policy(scheduler: Scheduler) -> str:
    """Why nothing could decide for a scheduler, as far as its entry tells; "" when something may."""
    try:
        if scheduler.source == "tree" or model_for(scheduler) is not None:
            return ""
    except ScxvalError as error:
        return str(error)
    return (
        f"{scheduler.name} decides in part in user space (Rust), and has no model here; only schedulers in "
        "C of the kernel's tree run as they are"
    )


def choose(request: Request) -> Choice:
    """The scheduler's own code where there is a library of it, else its model.

    `request.library` is <binary>.so of the tree's schedulers, which need not be there: beside it are its
    record <binary>.json and models.so (scxval.provision.simulators).
    """
    scheduler, library = request.scheduler, request.library
    why = no_policy(scheduler)
    if why:
        return Choice("", why=why)
    if library is None:
        return Choice(
            "", why=f"no libraries for {request.machine.kernel}: run `snakemake provision`"
        )
    if scheduler.source == "tree":
        record = _read_record(library.with_suffix(".json"))
        if record.get("outcome") == str(Outcome.OK) and library.exists():
            return Choice("code", library, record)
        why = f"{scheduler.name}: {record.get('reason') or f'no library {library.name}'}"
        return Choice("", why=why)
    models = library.with_name("models.so")
    return Choice("model", models, _read_record(models.with_suffix(".json")))


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {"reason": f"no record {path.name} of its build: run `snakemake provision`"}
    except ValueError as error:
        raise ScxvalError(f"{path}: not a record of a library: {error}") from error
    return record


def simulate(request: Request, folder: Path) -> Simulated:
    """Run one simulation; records and log go into `folder`/raw. Trouble is an outcome."""
    refusal = builtin_refusal(request.workload)
    if refusal:
        name = request.workload.name
        return _ended(
            Outcome.UNSUPPORTED, f"workload {name} is not simulated: {'; '.join(refusal)}"
        )
    if not request.machine.vcpus:
        return _ended(
            Outcome.UNSUPPORTED,
            f"machine {request.machine.name} has no CPUs of its own to simulate",
        )
    choice = choose(request)
    if choice.library is None:
        return _ended(Outcome.UNSUPPORTED, choice.why)
    try:
        program = compile_workload(
            request.workload,
            request.machine.vcpus,
            request.spare_cpus,
            request.seconds,
            request.parameters,
        )
    except ScxvalError as error:
        return _ended(Outcome.INFEASIBLE, str(error))
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    found = _in_a_process(request, choice, program, raw)
    return _result(choice, program, found, raw)


def _result(choice: Choice, program: Program, found: dict[str, Any], folder: Path) -> Simulated:
    log = str(found.get("log", ""))
    (folder / LOG).write_text(log, encoding="utf-8")
    facts = _facts(choice, found)
    if "outcome" in found:
        return _ended(Outcome(found["outcome"]), found["reason"], choice.policy, facts, log)
    outcome = _OUTCOMES[End(found["end"])]
    path = folder / RECORDS
    records = np.fromfile(path, dtype=record_dtype())
    cpus = int(found["cpus"])
    table, capability = to_events([records], program.tasks, found["sched_ext"], cpus)
    return Simulated(
        outcome=outcome,
        reason="" if outcome is Outcome.OK else found["text"] or "it ended without saying why",
        policy=choice.policy,
        table=table,
        capability=capability,
        window_ns=(0, program.end_ns),
        log=LOG,
        log_tail=tuple(log.splitlines()[-_TAIL_LINES:]),
        facts=facts,
    )


def _facts(choice: Choice, found: dict[str, Any]) -> dict[str, Any]:
    record = dict(choice.record or {})
    if choice.library is not None and choice.library.exists():
        record |= {"library": choice.library.name, "library_sha256": sha256(choice.library)}
    keys = ("model", "settings", "simulated_ns", "events", "dropped")
    return {"library": record, **{key: found[key] for key in keys if key in found}}


def _ended(
    outcome: Outcome,
    reason: str,
    policy: str = "",
    facts: dict[str, Any] | None = None,
    log: str = "",
) -> Simulated:
    """An end without events."""
    capability = Capability(source=SOURCE, kinds=[], clock=VIRTUAL_CLOCK)
    tail = tuple(log.splitlines()[-_TAIL_LINES:])
    return Simulated(
        outcome, reason, policy, empty_table(), capability, log_tail=tail, facts=facts or {}
    )


# -- the engine's process


def _in_a_process(
    request: Request, choice: Choice, program: Program, folder: Path
) -> dict[str, Any]:
    """What `_engine` found, or an outcome and a reason when it did not come to say so."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there, request, choice, program, folder))
    process.start()
    there.close()
    try:
        if not here.poll(request.limit_s):
            return {
                "outcome": str(Outcome.TIMEOUT),
                "reason": f"not done after {request.limit_s} s of wall clock (simulate.limit_s)",
            }
        found: dict[str, Any] = here.recv()
        return found
    except EOFError:
        process.join(10)
        return {"outcome": str(Outcome.SIMULATOR_FAILED), "reason": _how(process.exitcode)}
    finally:
        process.kill()
        process.join()
        here.close()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the engine's process was ended by {signal.Signals(-code).name}"
    return f"the engine's process ended with {code} before it said how the simulation went"


def _child(
    there: Connection, request: Request, choice: Choice, program: Program, folder: Path
) -> None:
    try:
        there.send(_engine(request, choice, program, folder))
    except settings.UnsupportedSettingError as error:
        there.send({"outcome": str(Outcome.UNSUPPORTED), "reason": str(error)})
    except ScxvalError as error:
        there.send({"outcome": str(Outcome.SIMULATOR_FAILED), "reason": str(error)})


def _engine(request: Request, choice: Choice, program: Program, folder: Path) -> dict[str, Any]:
    assert choice.library is not None
    machine, scheduler = request.machine, request.scheduler
    sched_ext, about = True, ""
    kept: list[Any] = []
    written: Sequence[settings.Setting] = ()
    if choice.policy == "code":
        library, written = with_settings(
            choice.library, scheduler.binary, scheduler.args, machine.vcpus
        )
    else:
        library = Library(choice.library)
    library.configure(machine, program, request.parameters, request.seed)
    if choice.policy == "model":
        model = model_for(scheduler)
        assert model is not None
        about, sched_ext = model.about, model.sched_ext
        policy = model.make(Kernel(library.lib, machine.vcpus))
        kept = attach(policy, library.ffi, library.lib)
    with (folder / RECORDS).open("wb") as file:
        for records in library.run():
            records.tofile(file)
    # The engine holds addresses only of what a model's operations are.
    kept.clear()
    ending = library.ending()
    return {
        **asdict(ending),
        "end": int(ending.end),
        "sched_ext": sched_ext,
        "model": about,
        "cpus": machine.vcpus,
        "settings": {setting.name: setting.value for setting in written},
    }


def with_settings(
    path: Path, binary: str, args: Sequence[str], vcpus: int
) -> tuple[Library, Sequence[settings.Setting]]:
    """A library with its globals as the user-space half (`binary` with `args`) would write them."""
    slice_ns = int(Library(path, settings.SLICE_DFL).lib.sim_slice_dfl_ns)
    chosen = settings.settings_of(binary, args, settings.Machine(vcpus, slice_ns))
    library = Library(path, settings.declarations(chosen))
    settings.write_settings(library.lib, chosen)
    return library, chosen
