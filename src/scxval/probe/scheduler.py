# SPDX-License-Identifier: MIT
"""Asks a real guest whether a scheduler attaches to a kernel, keeps running under load, and detaches.

Not every published scheduler loads on every kernel, and no version number says which: the verifier, a
missing kfunc or the number of CPUs may refuse it. One boot answers for all cells of that scheduler,
kernel and vCPU count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scxval.catalog.compatibility import Attachment
from scxval.catalog.config import Limits
from scxval.catalog.model import Cell, Isolation, Machine, Tracer, Workload
from scxval.catalog.outcomes import Outcome
from scxval.errors import HarnessError, run_step
from scxval.files import write_json
from scxval.vm.job import CellSpec, build_job, scheduler_from
from scxval.vm.launch import Guest, guest_arguments, guest_from
from scxval.vm.run_job import Run, judge_run, run_job
from scxval.vm.slots import own_slot

# More runnable tasks than CPUs, that also sleep and fork, for about two seconds of an emulated guest.
LOAD = Workload(
    "probe",
    "command",
    "does it schedule?",
    argv=(
        "sh",
        "-c",
        "for task in 1 2 3 4 5 6 7 8; do "
        "(n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done; sleep 0.1; /bin/true) & done; wait",
    ),
)


def probe_spec(scheduler: dict[str, Any], machine: Machine, limits: Limits) -> CellSpec:
    """The probe as a cell: no tracer, no isolation, LOAD."""
    entry = scheduler_from(scheduler)
    return CellSpec(
        cell=Cell(entry.name, LOAD.name, "none", "none", machine.name, 0),
        scheduler=entry,
        workload=LOAD,
        tracers=(Tracer("none", "", ""),),
        isolation=Isolation("none", "none", ""),
        machine=machine,
        limits=limits,
        lost_events_allowed=0,
    )


def attachment(spec: CellSpec, run: Run, outcome: Outcome, reason: str) -> Attachment:
    """What a finished probe says. Detached is: its process ended with 0 and sched_ext is disabled."""
    agent = run.agent or {}
    seen = agent.get("scheduler", {})
    labels = {mark["mark"] for mark in run.marks}
    end = seen.get("end") or {}
    return Attachment(
        kernel=spec.machine.kernel,
        scheduler=spec.scheduler.name,
        vcpus=spec.machine.vcpus,
        release=(agent.get("guest") or {}).get("release", ""),
        attaches="scheduler-enabled" in labels,
        runs=outcome is Outcome.OK,
        detaches=end.get("state") == "disabled" and agent["exit_codes"]["scheduler"] == 0,
        outcome=outcome,
        reason=reason,
    )


def probe_scheduler(
    spec: CellSpec, guest: Guest, binary: Path, files: tuple[Path, ...], work: Path
) -> Attachment:
    """Boot, attach, load, detach; `work` keeps the raw files."""
    limits = (spec.limits.boot_s, spec.limits.total_s)
    job = build_job(spec, frozenset(), binary, files)
    run = run_job(job, spec.machine, guest, work, limits)
    verdict = judge_run(run, work, lost_events_allowed=0, limits=limits)
    return attachment(spec, run, verdict.outcome, verdict.reason)


def best_accelerator(path: Path) -> str:
    """The fastest accelerator that booted a guest. Raises HarnessError when none did."""
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("kvm", "tcg"):
        if record[name]["works"]:
            return name
    raise HarnessError(f"{path}: no accelerator boots a guest")


def main() -> None:
    """Command line of the probe_scheduler rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    guest_arguments(parser)
    parser.add_argument("--scheduler", type=json.loads, required=True, help="catalogue entry, JSON")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="files it reads")
    parser.add_argument("--kernel-name", required=True, help="the kernel's name in the catalogue")
    parser.add_argument("--vcpus", type=int, required=True)
    parser.add_argument("--accelerators", type=Path, required=True, help="accelerator.json")
    parser.add_argument("--limits", type=json.loads, required=True, help="limits as JSON")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    accelerator: Any = best_accelerator(args.accelerators)
    machine = Machine(
        f"probe{args.vcpus}", accelerator, "", args.kernel_name, args.vcpus, memory_mib=1024
    )
    guest = guest_from(args)
    spec = probe_spec(args.scheduler, machine, Limits(**args.limits))
    with (
        own_slot(),
        tempfile.TemporaryDirectory(prefix=".probe-", dir=args.output.parent) as work,
    ):
        found = probe_scheduler(spec, guest, args.binary, tuple(args.files), Path(work))
    print(f"{found.scheduler} on {found.release}: {found.outcome} {found.reason}")
    write_json(args.output, asdict(found))


if __name__ == "__main__":
    sys.exit(run_step(main))
