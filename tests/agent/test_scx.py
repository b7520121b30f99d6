# SPDX-License-Identifier: MIT
"""Reading the kernel's word on sched_ext, and what counts as the expected scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.agent.scx import ScxState, read_events, read_state


def test_a_kernel_without_sched_ext(tmp_path: Path) -> None:
    assert read_state(tmp_path) == ScxState("absent", "", 0, 0)
    assert read_events(tmp_path) == ""


def test_an_enabled_scheduler(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for name, text in {
        "state": "enabled\n",
        "enable_seq": "2\n",
        "nr_rejected": "0\n",
        "root/ops": "simple\n",
        "root/events": "SCX_EV_DISPATCH_KEEP_LAST 7\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert read_state(tmp_path) == ScxState("enabled", "simple", 2, 0)
    assert read_events(tmp_path) == "SCX_EV_DISPATCH_KEEP_LAST 7"


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        (ScxState("enabled", "rusty_1.1.4_x86_64", 1, 0), True),
        (ScxState("enabling", "rusty_1.1.4_x86_64", 1, 0), False),
        (ScxState("enabled", "not_rusty_1", 1, 0), False),
        # The same name, but enabled before this run's scheduler was started.
        (ScxState("enabled", "rusty_1.1.4_x86_64", 0, 0), False),
    ],
)
def test_only_a_new_instance_of_the_expected_name_counts(state: ScxState, runs: bool) -> None:
    assert state.runs(r"rusty_.*", after_seq=0) is runs
