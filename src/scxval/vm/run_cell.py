# SPDX-License-Identifier: MIT
"""Runs one cell: lays out the job, launches the machine, judges how it ended, records everything.

Trouble inside the cell is an outcome in status.json and exit code 0; only a broken harness exits 1.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scxval import __version__
from scxval.catalog.outcomes import Outcome
from scxval.catalog.schema import repository
from scxval.errors import HarnessError, ScxvalError
from scxval.files import sha256, tree_sha256, write_json
from scxval.vm import host as this_machine
from scxval.vm.job import (
    CellSpec,
    JobFiles,
    agent_files,
    build_job,
    kernel_arguments,
    spec_from_json,
)
from scxval.vm.launch import Guest, ended, guest_arguments, guest_from
from scxval.vm.launchers import LAUNCHERS
from scxval.vm.losses import with_counted_losses
from scxval.vm.node import boot_note, require_accelerator, this_node
from scxval.vm.node_cache import cache_folder, local_guest
from scxval.vm.provenance import git_state, host_facts
from scxval.vm.run_job import Run, judge_run, run_job
from scxval.vm.slots import Slot, node_slot, slots_allowed
from scxval.vm.space import FLOOR_MIB, Space, memory_of, raw_mib, require
from scxval.vm.verdict import Verdict, tail


def run_cell(
    spec: CellSpec,
    guest: Guest,
    functions: Path | None,
    scheduler: tuple[Path, ...],
    out: Path,
    parent: int | None = None,
    tracers: tuple[Path, ...] = (),
    slot: Slot | None = None,
) -> Verdict:
    """Run a cell and leave status.json, provenance.json and raw/ in `out`.

    `functions` is the list of the guest kernel's functions (None for the host), `scheduler` the
    scheduler's binary and the files that it reads, () for the kernel's own, `tracers` the binaries of
    tracers that the guest's image lacks. `slot` is what the caller holds of this node.
    Raises HarnessError when nothing can be said about the cell, and then leaves no status.json.
    """
    # A record of an earlier run must not pass for this one's.
    (out / "status.json").unlink(missing_ok=True)
    require(Space(raw_mib(spec.tracers) + FLOOR_MIB, memory_of(spec.machine)), out)
    if spec.machine.launcher == "host":
        spec = replace(spec, machine=this_machine.here(spec.machine))
        names = this_machine.functions()
    elif functions is not None:
        names = frozenset(functions.read_text(encoding="utf-8").split())
    else:
        raise HarnessError(f"no list of functions of kernel {spec.machine.kernel}")
    job = build_job(spec, names, scheduler[0] if scheduler else None, scheduler[1:], tracers)
    limits = (spec.limits.boot_s, spec.limits.total_s)
    raw = out / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    host = host_facts()
    started = time.time()
    run = run_job(job, spec.machine, guest, raw, limits, parent, kernel_arguments(spec))
    run = replace(run, agent=with_counted_losses(run.agent, spec.tracers, job, raw))
    verdict = judge_run(run, raw, spec.lost_events_allowed, limits)
    if verdict.outcome is Outcome.BOOT_FAILED:
        verdict = replace(verdict, reason=verdict.reason + boot_note(spec.machine.accelerator))
    record = {
        **provenance(spec, job, run),
        "started_unix_s": started,
        "node": {**asdict(this_node()), **(asdict(slot) if slot else {})},
        "host": host,
        "digests": digests(guest, spec, scheduler, tracers),
    }
    write_json(out / "provenance.json", record)
    write_json(out / "status.json", status(spec, run, verdict, raw))
    return verdict


def provenance(spec: CellSpec, job: JobFiles, run: Run) -> dict[str, Any]:
    """What ran, as the job and the guest tell it; host and digests are added by the caller."""
    agent = run.agent or {}
    scheduler = job.spec["scheduler"]
    return {
        "schema": 1,
        "scxval": {"version": __version__, "git": git_state(repository())},
        "vm": {
            "launcher": spec.machine.launcher,
            "version": LAUNCHERS[spec.machine.launcher].version(),
            "accelerator": spec.machine.accelerator,
            "argv": run.argv,
        },
        "guest": agent.get("guest"),
        "versions": agent.get("versions", {}),
        "scheduler": {
            "ops": (agent.get("scheduler", {}).get("before") or {}).get("ops"),
            "argv": scheduler["argv"] if scheduler else None,
        },
        "machine": {
            **asdict(spec.machine),
            "smp_timing": not spec.machine.not_for_smp_timing,
            "not_for_smp_timing": spec.machine.not_for_smp_timing,
        },
        "isolation": job.spec["isolation"],
        "cpus": agent.get("cpus"),
        "workload": spec.workload.name,
        # No random choice is made in a real run; the repetition tells runs apart.
        "seed": None,
        "clocks": run.marks,
        "exit_codes": exit_codes(run),
    }


def status(spec: CellSpec, run: Run, verdict: Verdict, raw: Path) -> dict[str, Any]:
    """The status record of docs/contracts.md."""
    agent = run.agent or {}
    seen = agent.get("scheduler", {})
    return {
        "schema": 1,
        "cell": asdict(spec.cell),
        "outcome": str(verdict.outcome),
        "reason": verdict.reason,
        "log": verdict.log,
        "log_tail": tail(raw / verdict.log) if verdict.log else [],
        "exit_codes": exit_codes(run),
        "boots": run.boots,
        "scheduler": {
            "expected": spec.scheduler.ops,
            "before": seen.get("before"),
            "after": seen.get("after"),
        },
        "tracer": agent.get("tracer", {"ready": False, "lost": None}),
        "window_ns": agent.get("window_ns"),
        "wall_s": {
            "total": round(run.vm.total_s, 3),
            "boot": None if run.vm.boot_s is None else round(run.vm.boot_s, 3),
            **phases_s(run.marks),
        },
        "raw": {
            str(file.relative_to(raw)): {"bytes": file.stat().st_size, "sha256": sha256(file)}
            for file in sorted(raw.rglob("*"))
            if file.is_file()
        },
    }


def exit_codes(run: Run) -> dict[str, int | None]:
    """Exit codes of workload, scheduler, tracer and the machine; null for what never ran or was killed."""
    codes = (run.agent or {}).get("exit_codes", {})
    names = ("workload", "scheduler", "tracer")
    return {**{name: codes.get(name) for name in names}, "vm": run.vm.exit_code}


def phases_s(marks: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds from each mark to the next one, by the label of the first: `work-start` is the workload."""
    pairs = itertools.pairwise(marks)
    return {a["mark"]: round((b["mono_ns"] - a["mono_ns"]) / 1e9, 3) for a, b in pairs}


def digests(
    guest: Guest, spec: CellSpec, scheduler: tuple[Path, ...], tracers: tuple[Path, ...]
) -> dict[str, str | None]:
    """sha256 of everything that the run was made from."""
    booted = guest != this_machine.NO_GUEST
    return {
        "kernel": sha256(guest.kernel) if booted else None,
        "initramfs": sha256(guest.initramfs) if booted else None,
        "image": sha256(guest.image) if booted else None,
        "agent": tree_sha256(agent_files()),
        "state": sha256(guest.state) if guest.state else None,
        "scheduler": sha256(scheduler[0]) if scheduler else None,
        "scheduler_files": tree_sha256(list(scheduler[1:])) if scheduler[1:] else None,
        "tracer": tree_sha256(list(tracers)) if tracers else None,
        "workload": sha256(spec.workload.file) if spec.workload.file else None,
    }


def main() -> int:
    """Command line of the run rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the cell's spec as JSON")
    guest_arguments(parser, nargs="?")
    parser.add_argument("--functions", type=Path, nargs="?", help="the kernel's function names")
    parser.add_argument(
        "--scheduler", type=Path, nargs="*", default=[], help="the scheduler's binary, its files"
    )
    parser.add_argument(
        "--tracers", type=Path, nargs="*", default=[], help="binaries of tracers, in their order"
    )
    parser.add_argument("--workload", type=Path, nargs="?", help="the workload's file")
    parser.add_argument("--output", type=Path, required=True, help="the cell's folder")
    parser.add_argument("--parent", type=int, help="die with this process (a rule's $PPID)")
    args = parser.parse_args()
    spec = spec_from_json(args.spec, args.workload)
    guest = guest_from(args) if args.kernel else this_machine.NO_GUEST
    try:
        require_accelerator(spec.machine.accelerator)
        if args.kernel:
            guest = local_guest(guest, cache_folder())
        with node_slot(slots_allowed(), ended(args.parent)) as slot:
            verdict = run_cell(
                spec,
                guest,
                args.functions,
                tuple(args.scheduler),
                args.output,
                args.parent,
                tuple(args.tracers),
                slot,
            )
    except (HarnessError, ScxvalError, OSError) as error:
        print(f"{spec.cell.path}: {error}", file=sys.stderr)
        return 1
    print(f"{spec.cell.path}: {verdict.outcome} {verdict.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
