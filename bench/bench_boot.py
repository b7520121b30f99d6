# SPDX-License-Identifier: MIT
"""Cold boot beside a restored guest: wall time to the job's first line, and whether results differ.

`python bench/bench_boot.py [PAIRS]`: runs the same traced cell on tcg4 and tcg4-restored in turn, so that
the host's mood falls on both alike. Prints the ratio of the boots, and for each metric of the workload
the medians over runs and a two-sided permutation test on them, Holm's correction over all metrics. A
high p-value does not prove equality: the interval of the difference says what can be ruled out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
CONDITION = "results/runs/scx_simple/periodic_mix/bpftrace/taskset"
MACHINES = ("tcg4", "tcg4-restored")
STATS = ("p50", "mean", "value")
DRAWS = 10_000

Samples = dict[tuple[str, str, str], list[float]]


def run_pairs(folder: Path, pairs: int) -> None:
    """One cell on each machine, in turn; the order within a pair alternates."""
    for shared in ("config", "envs", "resources"):
        (folder / shared).symlink_to(ROOT / shared)
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow/Snakefile")]
    options = ["--directory", str(folder), "--cores", "all", "--quiet", "all"]
    for rep in range(pairs):
        for machine in MACHINES if rep % 2 else MACHINES[::-1]:
            target = f"{CONDITION}/{machine}/rep{rep}/metrics.parquet"
            subprocess.run([*command, target, *options], check=True)


def boots_s(folder: Path, machine: str) -> list[float]:
    """Seconds from launch to the job's first line, a value a run. Ends the bench if a run is not ok."""
    found = []
    for path in sorted((folder / CONDITION / machine).glob("rep*/status.json")):
        status = json.loads(path.read_text())
        if status["outcome"] != "ok":
            raise SystemExit(f"{path}: {status['outcome']}: {status['reason']}")
        found.append(status["wall_s"]["boot"])
    return found


def samples(folder: Path, machine: str) -> Samples:
    """The workload's metrics, a value a run."""
    found: Samples = {}
    for path in sorted((folder / CONDITION / machine).glob("rep*/metrics.parquet")):
        for row in pq.read_table(path).to_pylist():
            if row["scope"] == "workload" and row["stat"] in STATS and row["value"] is not None:
                key = (row["metric"], row["stat"], row["unit"])
                found.setdefault(key, []).append(row["value"])
    return found


def permutation_p(one: list[float], two: list[float], rng: np.random.Generator) -> float:
    """Two-sided p-value of the difference of means under exchange of the labels."""
    pool = np.array([*one, *two])
    seen = abs(np.mean(one) - np.mean(two))
    draws = rng.permuted(np.tile(pool, (DRAWS, 1)), axis=1)
    n = len(one)
    differences = np.abs(draws[:, :n].mean(axis=1) - draws[:, n:].mean(axis=1))
    return float((np.sum(differences >= seen - 1e-9 * seen) + 1) / (DRAWS + 1))


def interval(one: list[float], two: list[float], rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the relative difference of medians, second against first."""
    a = np.median(rng.choice(one, (DRAWS, len(one))), axis=1)
    b = np.median(rng.choice(two, (DRAWS, len(two))), axis=1)
    low, high = np.quantile(b / a - 1, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Run the pairs and print both tables."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="scxval-bench-") as name:
        folder = Path(name)
        run_pairs(folder, pairs)
        cold, restored = (boots_s(folder, machine) for machine in MACHINES)
        print(f"launch to the job's first line, median of {pairs}:")
        print(f"  cold      {statistics.median(cold):6.2f} s (max {max(cold):.2f})")
        print(f"  restored  {statistics.median(restored):6.2f} s (max {max(restored):.2f})")
        print(f"  ratio     {statistics.median(cold) / statistics.median(restored):6.1f}")
        one, two = (samples(folder, machine) for machine in MACHINES)
    keys = [k for k in one if k in two and len(one[k]) == len(two[k]) == pairs and any(one[k])]
    p_values = {key: permutation_p(one[key], two[key], rng) for key in keys}
    order = sorted(keys, key=p_values.__getitem__)
    print(
        f"metric, medians cold and restored, 95 % of the difference, spread ratio, p ({len(keys)})"
    )
    holm = 0.0
    for rank, key in enumerate(order):
        holm = max(holm, min(1.0, p_values[key] * (len(keys) - rank)))
        low, high = interval(one[key], two[key], rng)
        spread = np.std(two[key]) / np.std(one[key]) if np.std(one[key]) else float("nan")
        print(
            f"  {' '.join(key):44} {statistics.median(one[key]):14.4g} "
            f"{statistics.median(two[key]):14.4g} {low:+7.1%} {high:+7.1%} "
            f"{spread:5.2f} p {p_values[key]:.3f} corrected {holm:.3f}"
        )


if __name__ == "__main__":
    main()
