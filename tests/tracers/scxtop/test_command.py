# SPDX-License-Identifier: MIT
"""The script that scxtop runs under, with a program in its place that is as deaf, and can be made to fail.

tests/vm/test_scxtop.py has the real one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from scxval.errors import ScxvalError
from scxval.tracers.scxtop import LOST_PATTERN, READY_PATTERN, command

# Its arguments: trace --trace-ms MS --output-file FILE.
PROGRAM = """\
#!/bin/sh
[ "$1 $2 $4" = "trace --trace-ms --output-file" ] || exit 9
echo "[INFO] waiting for trace duration (${3}ms)"
sleep "$TRACE_S"
echo "[INFO] trace duration complete, beginning shutdown"
sleep "$WRITE_S"
echo trace >"$5"
echo "[INFO] shutdown: BpfStats { dropped_events: 17 }"
exit "$CODE"
"""


@pytest.fixture
def started(tmp_path):
    """Start the tracer's own command; what stands in for scxtop takes these seconds."""
    running = []

    def start(trace_s: float, write_s: float, code: int = 0) -> subprocess.Popen[bytes]:
        made = command({"trace_ms": 1234}, frozenset())
        folders = {"{in}": tmp_path / "in", "{out}": tmp_path / "out", "{raw}": tmp_path / "raw"}
        for folder in folders.values():
            folder.mkdir()
        for name, text in made.files.items():
            (folders["{in}"] / name).write_text(text)
        program = folders["{in}"] / made.binary
        program.write_text(PROGRAM)
        program.chmod(0o755)
        argv = made.argv
        for name, folder in folders.items():
            argv = [word.replace(name, str(folder)) for word in argv]
        with (tmp_path / "out/tracer.log").open("wb") as log:
            child = subprocess.Popen(
                argv,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # A test run in the background is deaf to SIGINT, and sh cannot trap what it inherits
                # ignored. The agent gives it back too.
                preexec_fn=hear_interrupts,
                env={
                    **os.environ,
                    "TRACE_S": str(trace_s),
                    "WRITE_S": str(write_s),
                    "CODE": str(code),
                },
            )
        running.append(child)
        wait_for(tmp_path, READY_PATTERN)
        return child

    yield start
    for child in running:
        child.kill()
        child.wait()


def hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(folder: Path, pattern: str) -> None:
    for _ in range(200):
        if re.search(pattern, (folder / "out/tracer.log").read_text()):
            return
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {(folder / 'out/tracer.log').read_text()}")


def interrupt(child: subprocess.Popen[bytes]) -> int:
    """As the agent stops a tracer: SIGINT to all of its group, then wait."""
    os.killpg(child.pid, signal.SIGINT)
    return child.wait(30)


def test_the_trace_survives_the_signal(started, tmp_path):
    child = started(3, 0.2)
    assert interrupt(child) == 0
    assert (tmp_path / "raw/scxtop.pb").read_text() == "trace\n"
    log = (tmp_path / "out/tracer.log").read_text()
    assert "(1234ms)" in log
    assert [int(m[1]) for m in re.finditer(LOST_PATTERN, log)] == [17]


@pytest.mark.parametrize("write_s", [0.0, 1.5])
def test_a_trace_that_was_over_before_is_told(started, tmp_path, write_s):
    """Whether it has ended, or is still writing its file."""
    child = started(0.1, write_s)
    wait_for(tmp_path, "trace duration complete")
    if not write_s:
        child.wait(30)
    else:
        interrupt(child)
    assert child.returncode == 3
    assert "1234 ms were over before the workload" in (tmp_path / "out/tracer.log").read_text()


def test_its_own_failure_is_its_exit_code(started):
    assert interrupt(started(0.5, 0.1, code=5)) == 5


@pytest.mark.parametrize("value", [0, -1, "10", 1.5, True, 10**18])
def test_a_time_that_is_none_is_refused(value):
    with pytest.raises(ScxvalError, match=r"trace_ms is .*; expected milliseconds"):
        command({"trace_ms": value}, frozenset())


def test_another_option_is_refused():
    with pytest.raises(ScxvalError, match="trace_msec"):
        command({"trace_msec": 5}, frozenset())
