# SPDX-License-Identifier: MIT
"""Child processes: every wait ends, signals escalate, logs and affinity are as asked for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from scxval.agent.procs import Child, first_line, wait_until


def test_exit_code_and_log(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo out; echo err >&2; exit 3"], tmp_path / "log")
    assert child.wait(10) == 3
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_wait_has_a_limit(tmp_path: Path) -> None:
    child = Child(["sleep", "60"], tmp_path / "log")
    begin = time.monotonic()
    assert child.wait(0.2) is None
    assert time.monotonic() - begin < 5
    assert child.stop(signal.SIGINT, 5) == -signal.SIGINT


def test_sigint_works_though_the_parent_ignores_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = Child(["sleep", "60"], tmp_path / "log")
        assert child.stop(signal.SIGINT, 5) == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_stop_escalates_to_kill(tmp_path: Path) -> None:
    child = Child(
        ["sh", "-c", "trap '' INT; echo ready; while :; do sleep 1; done"], tmp_path / "log"
    )
    assert wait_until(lambda: "ready" in (tmp_path / "log").read_text(), 10)
    assert child.stop(signal.SIGINT, 0.5) == -signal.SIGKILL


def test_stop_reaches_the_whole_group(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "sleep 60 & echo $!; wait"], tmp_path / "log")
    assert wait_until(lambda: (tmp_path / "log").read_text().strip().isdigit(), 10)
    grandchild = int((tmp_path / "log").read_text())
    child.stop(signal.SIGTERM, 5)
    stat = Path(f"/proc/{grandchild}/stat")
    # Gone, or a zombie that nobody has waited for.
    assert wait_until(lambda: not stat.exists() or ") Z " in stat.read_text(), 5)


def test_affinity(tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    Child(["python3", "-c", code], tmp_path / "log", cpus=[cpu]).wait(20)
    assert (tmp_path / "log").read_text().strip() == f"[{cpu}]"


def test_first_line_of_anything() -> None:
    assert first_line(["sh", "-c", "echo; echo version 3; echo more"]) == "version 3"
    assert first_line(["/no/such/program"]) == ""
    assert first_line(["sleep", "60"], limit_s=0.2) == ""
