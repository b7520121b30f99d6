# SPDX-License-Identifier: MIT
"""Results trees for the report's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_tree import IMG, SCRIPT, Tree, two_cpus


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "results")


@pytest.fixture
def full(tree: Tree) -> Tree:
    """fair: two good runs; scx_simple: one good, one rejected; one not run, one excluded."""
    for rep in range(2):
        folder = tree.run(f"fair/mix/bpftrace/taskset/tcg4/rep{rep}")
        tree.events(folder, two_cpus(rep))
    folder = tree.run("scx_simple/mix/bpftrace/taskset/tcg4/rep0")
    tree.events(folder, two_cpus(3))
    failed = tree.run(
        "scx_simple/mix/bpftrace/taskset/tcg4/rep1",
        outcome="scheduler_rejected",
        reason="scx_simple ended with exit code 1 before it was enabled",
        log="scheduler.log",
        log_tail=["\x1b[31mlibbpf\x1b[0m: failed", IMG, SCRIPT, "bell\x07 and \u202ereverse"],
        exit_codes={"workload": None, "scheduler": 1, "tracer": None, "vm": 0},
        window_ns=None,
    )
    (failed / "raw" / "scheduler.log").write_text("failed")
    tree.plan("scx_rusty/mix/bpftrace/taskset/tcg4/rep0")
    tree.excluded.append(
        {
            "cell": "scx_pair/mix/bpftrace/taskset/tcg4/rep0",
            "outcome": "unsupported",
            "reason": f"scx_pair needs an even number of CPUs {IMG}",
        }
    )
    return tree
