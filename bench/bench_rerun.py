# SPDX-License-Identifier: MIT
"""Wall time of running one changed cell again, beside the time its virtual machine takes.

`python bench/bench_rerun.py`: in a folder of its own, runs two traced cells to a report, then makes one
of them run again (as after a change of it) up to the new report. Prints both walls, the machine's part
of the second, and the rest: what the workflow itself costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CELL = "scx_simple/periodic_mix/bpftrace/taskset/tcg4/rep0"
AXES = ["scheduler=scx_simple", "tracer=bpftrace", "machine=tcg4", "reps=1"]


def snakemake(folder: Path, *args: str) -> float:
    """Wall seconds of one call."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow/Snakefile")]
    begin = time.monotonic()
    subprocess.run(
        [*command, "--directory", str(folder), "--quiet", "all", *args, "--config", *AXES],
        check=True,
    )
    return time.monotonic() - begin


def main() -> None:
    """Run twice and print the parts."""
    with tempfile.TemporaryDirectory(prefix="scxval-bench-") as name:
        folder = Path(name)
        for shared in ("config", "envs", "resources"):
            (folder / shared).symlink_to(ROOT / shared)
        first_s = snakemake(folder)
        again_s = snakemake(folder, "--forcerun", f"results/runs/{CELL}/status.json")
        status = json.loads((folder / f"results/runs/{CELL}/status.json").read_text())
        vm_s = status["wall_s"]["total"]
        print(f"two cells to a report      {first_s:6.1f} s")
        print(f"one of them again          {again_s:6.1f} s")
        print(f"  its virtual machine      {vm_s:6.1f} s")
        print(f"  everything else          {again_s - vm_s:6.1f} s")


if __name__ == "__main__":
    main()
