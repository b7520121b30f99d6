# SPDX-License-Identifier: MIT
"""Entries of workloads: cgroups and results that could not work are refused; the simulator's share."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.catalog.load import load_catalog
from scxval.catalog.model import Cgroup, Result, Workload
from scxval.catalog.workload import simulator_refusal
from scxval.errors import ScxvalError

from ..conftest import ROOT

SHIPPED = ROOT / "config/catalog"
FILE = ROOT / "config/workloads/producer_consumer.json"
RT_APP = f'kind: rt-app, about: "x?", file: {FILE}'
COMMAND = 'kind: command, about: "x?"'


def load(tmp_path: Path, text: str) -> Workload:
    (tmp_path / "workloads.yaml").write_text(text)
    return load_catalog([SHIPPED, tmp_path]).workloads["x"]


def test_a_command_in_cgroups_with_a_result(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        f"x: {{{COMMAND}, cgroups: [{{name: a, cpu.weight: 10, argv: ['true', '1']}}, "
        "{name: b, cpu.max: max 100000, argv: ['false']}], "
        "result: {name: t, pattern: '^t (.*)$', unit: s}}",
    )
    assert workload.cgroups == (
        Cgroup("a", {"cpu.weight": "10"}, argv=("true", "1")),
        Cgroup("b", {"cpu.max": "max 100000"}, argv=("false",)),
    )
    assert workload.result == Result("t", "^t (.*)$", "s")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            f"{COMMAND}, cgroups: [{{name: a, tasks: [t]}}]",
            "cgroup 'a' needs `argv` and no `tasks`",
        ),
        (f"{RT_APP}, cgroups: [{{name: a, argv: [t]}}]", "needs `tasks` and no `argv`"),
        (f"{RT_APP}, cgroups: [{{name: a, tasks: [hog9]}}]", "did you mean 'hog"),
        (f"{RT_APP}, cgroups: [{{name: a, tasks: [hog0]}}]", "task 'producer' is in none of"),
        (f"{RT_APP}, cgroups: [{{name: a, tasks: [hog0, hog0]}}]", "'hog0' is in two cgroups"),
        (
            f"{RT_APP}, cgroups: [{{name: a, tasks: [producer, hog0, hog1, hog2]}}, "
            "{name: b, tasks: [consumer]}]",
            "'consumer' is used in cgroups 'a' and 'b', which are two rt-app processes",
        ),
        (f"{RT_APP}, cgroups: [{{name: a, tasks: [hog0], cpu.max: '5%'}}]", "'5%' does not match"),
        (f"{RT_APP}, cgroups: [{{name: a, tasks: [hog0], cpu.wait: 5}}]", "mean 'cpu.weight'?"),
        (f"{COMMAND}, argv: [a], result: {{name: t, pattern: '(', unit: s}}", "result.pattern"),
        (f"{COMMAND}, argv: [a], result: {{name: t, pattern: x, unit: s}}", "needs one group"),
        (f"{COMMAND}, argv: [a], file: b", "`file` is for rt-app"),
        (f"{COMMAND}, argv: [a], cgroups: [{{name: a, argv: [b]}}]", "each of them has an `argv`"),
        (f"{RT_APP}, argv: [a]", "`argv` is for a command"),
        (f"{COMMAND}", "a command needs `argv`"),
    ],
)
def test_a_bad_entry_is_one_line(tmp_path: Path, entry: str, says: str) -> None:
    with pytest.raises(ScxvalError) as caught:
        load(tmp_path, f"x: {{{entry}}}")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_simulator_has_a_share_of_the_catalogue() -> None:
    workloads = load_catalog([SHIPPED]).workloads
    taken = {name for name, workload in workloads.items() if not simulator_refusal(workload)}
    assert len(workloads) >= 12
    assert {"periodic_sleep", "producer_consumer", "bursty", "nice_levels", "affinity"} <= taken
    assert not taken & {"periodic_mix", "locks", "cgroup_weights", "hackbench"}
