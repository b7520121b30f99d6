# SPDX-License-Identifier: MIT
"""Proves an accelerator by booting a guest with a time limit.

A device node that opens proves nothing: with some hosts' nested virtualisation the firmware runs and a
64-bit kernel then dies, or QEMU hangs. Only a guest that ran a job to its end counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from scxval.catalog.matrix import memory_mib
from scxval.catalog.model import Machine
from scxval.catalog.outcomes import Outcome
from scxval.errors import HarnessError, run_step
from scxval.files import write_json
from scxval.vm.job import idle_job
from scxval.vm.launch import Guest, guest_arguments, guest_from
from scxval.vm.run_job import judge_run, run_job
from scxval.vm.slots import own_slot
from scxval.vm.verdict import tail

# A working accelerator boots in a few seconds; emulation on two slow cores takes ten.
LIMITS = {"kvm": (20, 40), "tcg": (90, 150)}


def probe(accelerator: Literal["kvm", "tcg"], guest: Guest, work: Path) -> dict[str, Any]:
    """Boot a guest; returns the record of how it went."""
    device = Path("/dev/kvm")
    if accelerator == "kvm" and not device.exists():
        return {"works": False, "reason": f"{device} does not exist", "total_s": 0.0}
    machine = Machine(f"probe-{accelerator}", accelerator, "", "", vcpus=2, memory_mib=1024)
    raw = work / accelerator
    run = run_job(idle_job(), machine, guest, raw, LIMITS[accelerator])
    verdict = judge_run(run, raw, lost_events_allowed=0, limits=LIMITS[accelerator])
    works = verdict.outcome is Outcome.OK and run.vm.exit_code == 0
    return {
        "works": works,
        "reason": verdict.reason,
        "total_s": round(run.vm.total_s, 1),
        "boot_s": run.vm.boot_s and round(run.vm.boot_s, 1),
        "log_tail": [] if works else tail(raw / verdict.log),
        "guest": run.agent["guest"] if run.agent else None,
        "argv": run.argv,
    }


def probed_node() -> dict[str, Any]:
    """The machine that this was proved on: what a plan is made for, wherever it is made."""
    cpus = len(os.sched_getaffinity(0))
    return {"name": platform.node(), "memory_mib": memory_mib(), "cpus": cpus}


def main() -> None:
    """Command line of the probe rule: tries every accelerator, at least one must work."""
    parser = argparse.ArgumentParser(description=__doc__)
    guest_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="accelerator.json")
    args = parser.parse_args()
    guest = guest_from(args)
    work = Path(tempfile.mkdtemp(prefix="probe-", dir=args.output.parent))
    try:
        with own_slot():
            kvm = probe("kvm", guest, work)
            tcg = probe("tcg", guest, work)
        for name, record in (("kvm", kvm), ("tcg", tcg)):
            print(f"{name}: {'works' if record['works'] else 'fails: ' + record['reason']}")
        if not kvm["works"] and not tcg["works"]:
            tails = "\n".join(kvm.get("log_tail", []) + tcg.get("log_tail", []))
            raise HarnessError(f"no accelerator boots a guest: {tcg['reason']}\n{tails}")
        write_json(args.output, {"node": probed_node(), "kvm": kvm, "tcg": tcg})
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_step(main))
