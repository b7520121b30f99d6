# SPDX-License-Identifier: MIT
"""Tasks and their delays, and who had which CPU, against perf sched latency and map of one file."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from report_tree import IMG, SCRIPT, WINDOW_NS, Tree, table_of, two_cpus

from scxval.report.tasks import TaskDelays, task_delays
from scxval.report.timeline import timeline
from scxval.tracers.perf_sched.convert import convert

FIXTURES = Path(__file__).parents[1] / "fixtures/perf-sched"
CELL = "fair/mix/bpftrace/taskset/tcg4/rep0"
LATENCY = re.compile(
    r"^\s+(\S.*?):(\(?)(\d+)\)?\s+\|\s+[\d.]+ ms \|\s+(\d+) \| avg:\s+([\d.]+) ms "
    r"\| max:\s+([\d.]+) ms \| max start:\s+([\d.]+) s"
)
# perf names kworkers by their work, and puts what a thread did under its last name.
OTHERWISE = ("kworker/", "perf", "sleep", "rt-app", "python3", "bash", "timeout", "ps", "tee")
MAP = re.compile(r"^(.*?)\s+(\d+)\.(\d{6}) secs ?(.*)$")
NEW = re.compile(r"(\S+) +=> (.*):(\d+)")


def whole(table: object) -> tuple[int, int]:
    times = table["time_ns"].to_pylist()  # type: ignore[index]
    return times[0], times[-1] + 1


# The second is of perf's own clock, which it takes without -k.
@pytest.mark.parametrize("folder", ["perf-sched", "perf-rusty"])
def test_delays_are_those_of_perf_sched_latency(folder: str) -> None:
    fixtures = FIXTURES.with_name(folder)
    table = convert(fixtures / "perf.data.gz").table
    found = {task.name: task for task in task_delays(table, whole(table))}
    compared = 0
    for line in (fixtures / "latency.txt").read_text().splitlines():
        match = LATENCY.match(line)
        if match is None or match[1].startswith(OTHERWISE):
            continue
        name, several, number, count, mean, most, start = match.groups()
        task = found[name]
        assert task.threads == (int(number) if several else 1), name
        assert task.delays == int(count), name
        assert task.mean_ns == pytest.approx(float(mean) * 1e6, abs=1100), name
        assert task.max_ns == pytest.approx(float(most) * 1e6, abs=1100), name
        assert task.max_start_ns == pytest.approx(float(start) * 1e9, abs=1100), name
        compared += 1
    assert compared >= 12
    total = re.search(r"TOTAL: .*\|\s+(\d+) \|", (fixtures / "latency.txt").read_text())
    assert total is not None
    assert sum(task.delays for task in found.values()) == int(total[1])


def test_cpus_have_the_tasks_of_perf_sched_map() -> None:
    """Each line of the map is one switch: the column with the star is its CPU, the code its task."""
    table = convert(FIXTURES / "perf.data.gz").table
    shown = timeline(table, whole(table), max_slices=1 << 30)
    begins = {
        (piece.cpu, piece.start_ns // 1000): piece.tid
        for piece in shown.slices
        if piece.start_known
    }
    ends = {(piece.cpu, piece.end_ns // 1000) for piece in shown.slices}
    codes, running, idle = {".": 0}, 0, 0
    with gzip.open(FIXTURES / "map.txt.gz", "rt") as lines:
        for line in lines:
            match = MAP.match(line.rstrip())
            assert match, line
            columns, seconds, micros, new = match.groups()
            if told := NEW.match(new):
                codes[told[1]] = int(told[3])
            cpu, code = next(
                (cpu, columns[4 * cpu + 2 :][1:4].strip())
                for cpu in range(4)
                if columns[4 * cpu + 2 :][:1] == "*"
            )
            at = (cpu, int(seconds) * 10**6 + int(micros))
            if codes[code]:
                assert begins.pop(at) == codes[code], line
                running += 1
            else:
                assert at in ends, line
                idle += 1
    assert not begins
    assert running > 500
    assert idle > 300


def test_one_task_by_hand() -> None:
    def row(time_ns: int, kind: str, **more: object) -> dict[str, object]:
        return {"time_ns": time_ns, "cpu": 0, "kind": kind, "tid": 5, "comm": "a"} | more

    rows = [
        row(100, "TaskWoke"),
        row(130, "TaskScheduled"),
        row(150, "TaskSlept"),
        row(200, "TaskWoke"),
        row(230, "TaskScheduled"),
        row(300, "TaskPreempted"),
        row(310, "TaskScheduled"),
        row(900, "TaskSlept"),
    ]
    found = task_delays(table_of(rows), (120, 500))
    # Three waits of 30, 30 and 10 ns; of equal ones the first is named.
    assert found == [TaskDelays("a", 1, 20 + 70 + 190, 2, 3, 70 / 3, 30, 100)]
    assert task_delays(table_of(rows), (1000, 2000)) == []


def test_the_page_has_them(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    rows = [e.text for e in tree.build().all("tr")]
    # The periodic task waits 10 us more each time: 10 waits, the last of 100 us.
    start = WINDOW_NS[0] + 90_000_000
    periodic = ["1", "29.450", "10", "10", "0.055", "0.100", f"{start / 1e9:.6f}"]
    assert f"{SCRIPT}{''.join(periodic)}" in rows
    # The last preemption of the hog is at the window's end, outside; each is followed at once.
    began = WINDOW_NS[0] + 10_000_000
    hog = ["1", "100.000", "9", "9", "0.000", "0.000", f"{began / 1e9:.6f}"]
    assert f"{IMG}{''.join(hog)}" in rows


def test_the_page_says_why_there_are_none(tree: Tree) -> None:
    folder = tree.run(CELL)
    tree.events(folder, two_cpus(0))
    record = folder / "capability.json"
    record.write_text(record.read_text().replace('"TaskWoke"', '"Tick"'))
    assert "cannot see what a scheduling delay is made of" in tree.build().html
