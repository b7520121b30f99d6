# SPDX-License-Identifier: MIT
"""Every key that rt-app files may have is simulated, refused or without effect: no key slips through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog import rtapp
from scxval.catalog.load import Catalog
from scxval.simulate.builtin.subset import EVENT, GLOBAL, PHASE, TASK, Subset, builtin_refusal

from ..rtapp_file import write_rtapp


@pytest.mark.parametrize(
    ("subset", "table"),
    [
        (GLOBAL, rtapp.GLOBAL_KEYS),
        (TASK, rtapp.TASK_KEYS),
        (PHASE, rtapp.PHASE_KEYS),
        (EVENT, rtapp.EVENTS),
    ],
)
def test_each_key_is_in_exactly_one_list(subset: Subset, table: dict[str, Any]) -> None:
    named = [*subset.done, *subset.refused, *subset.no_effect]
    assert sorted(named) == sorted(table)
    assert all(subset.refused.values())
    assert all(subset.no_effect.values())


@pytest.mark.parametrize(
    ("task", "settings", "reason"),
    [
        ({"run": 1, "mem": 5}, {}, "mem: what memory costs"),
        ({"run": 1, "iorun": 5}, {}, "iorun: writing to a device"),
        ({"run": 1, "policy": "SCHED_FIFO", "priority": 5}, {}, "policy SCHED_FIFO"),
        ({"run": 1, "priority": 5}, {"default_policy": "SCHED_RR"}, "policy SCHED_RR"),
        ({"run": 1, "dl-runtime": 5}, {}, "dl-runtime: deadlines"),
        ({"run": 1}, {"pi_enabled": True}, "pi_enabled"),
    ],
)
def test_what_is_refused_is_named_with_its_task(
    tmp_path: Path, task: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    workload = write_rtapp(tmp_path / "a.json", {"odd": task}, **settings)
    (said,) = builtin_refusal(workload)
    assert said.startswith(reason)
    assert "(odd)" in said or "(global)" in said


def test_shipped_workloads(catalog: Catalog) -> None:
    refused = {w.name for w in catalog.workloads.values() if builtin_refusal(w)}
    commands = {w.name for w in catalog.workloads.values() if w.kind == "command"}
    assert refused == commands | {"cgroup_max"}
    assert json.dumps(builtin_refusal(catalog.workloads["cgroup_max"])).count("capped") == 1
