# SPDX-License-Identifier: MIT
"""What planning costs: `scxval cells` and `snakemake -n` for 10,000 cells, with and without a budget.

What counts is seconds of CPU a thousand cells, and the ratio of the two. Needs a provisioned checkout.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# 4 schedulers, 20 workloads, 5 tracers and 3 isolations: 1,200 cells a repetition.
AXES = (
    *("scheduler=[fair,scx_simple,scx_central,scx_rusty]", "workload=all", "machine=tcg4"),
    *("tracer=[none,bpftrace,perf-sched,trace-cmd,ftrace]", "isolation=[none,taskset,cpuset]"),
    "simulator=none",
)


def cpu_s(command: list[str], folder: Path) -> tuple[float, str]:
    """Seconds of CPU that a command takes, and what it wrote; raises when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, done.stdout


def dry_run(folder: Path, *words: str) -> float:
    """Seconds of CPU of a dry run."""
    python = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile")]
    more = ["--dry-run", "--quiet", "all", "--directory", str(folder), "--config", *AXES, *words]
    return cpu_s([*python, *more], folder)[0]


def main() -> None:
    """Print the times of both, for a small and a large matrix."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shared in ("config", "envs", "resources"):
            (folder / shared).symlink_to(ROOT / shared)
        scxval = [sys.executable, "-m", "scxval", "cells", "--config", *AXES]
        listed, text = cpu_s([*scxval, "reps=10"], folder)
        cells = int(text.split(" cells planned")[0].splitlines()[-1])
        print(f"scxval cells: {listed:.1f} s of CPU for {cells} cells")
        # The choice first: a dry run cannot make it.
        choose = [sys.executable, "-m", "snakemake", "--directory", str(folder), "--snakefile"]
        target = [str(ROOT / "workflow/Snakefile"), "results/plan.json", "--config", *AXES]
        cpu_s([*choose, *target, "reps=10", "budget=8h"], folder)
        within = dry_run(folder, "reps=10", "budget=8h")
        print(f"snakemake -n, budget=8h of {cells} cells: {within:.1f} s of CPU")
        small = dry_run(folder, "reps=1")
        large = dry_run(folder, "reps=10")
        print(f"snakemake -n, all of {cells} cells: {large:.1f} s of CPU")
        print(f"ten times the cells take {large / small:.1f} times the time")
        print(f"scxval cells against snakemake -n: {large / listed:.0f} times faster")


if __name__ == "__main__":
    main()
