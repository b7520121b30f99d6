# SPDX-License-Identifier: MIT
"""What a workload says of itself: real rt-app logs, a real cpu.stat, what commands really printed.

tests/fixtures/rt-app is from a run of periodic_mix (the first 40 passes of each thread) and one of
cgroup_max, with the kernel's own scheduler on an emulated machine.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_tables import capability, off, on, table

from scxval.catalog.load import load_catalog
from scxval.catalog.model import Result
from scxval.catalog.rtapp import read_rtapp
from scxval.errors import ScxvalError
from scxval.events.metrics.__main__ import main
from scxval.events.metrics.outputs import LOG_METRICS, log_samples, read_log, workload_outputs
from scxval.events.metrics.reduce import METRIC_SCHEMA
from scxval.events.table import write_events

ROOT = Path(__file__).parents[3]
LOGS = ROOT / "tests/fixtures/rt-app"
FILE = ROOT / "config/workloads/periodic_mix.json"

# The last lines of commands run in a guest: fork_storm, stress_cpu, hackbench, perf_messaging, perf_pipe.
PRINTED = {
    "fork_storm": (
        "stress-ng: metrc: [159] stressor       bogo ops real time  usr time  sys time   bogo ops/s\n"
        "stress-ng: metrc: [159] fork                174      1.98      0.22      4.67        87.84"
        "          35.61\n",
        87.84,
    ),
    "stress_cpu": (
        "stress-ng: info:  [159] dispatching hogs: 5 cpu\n"
        "stress-ng: metrc: [159] cpu                 135      2.09      4.89      1.51        64.57"
        "          21.08\n",
        64.57,
    ),
    "hackbench": (
        "Running in process mode with 2 groups using 10 file descriptors each (== 20 tasks)\n"
        "Each sender will pass 1500 messages of 100 bytes\nTime: 3.093\n",
        3.093,
    ),
    "perf_messaging": ("# 1 groups == 40 processes run\n\n     Total time: 1.516 [sec]\n", 1.516),
    "perf_pipe": (
        "     Total time: 2.262 [sec]\n\n    1131.477500 usecs/op\n            883 ops/sec\n",
        1131.4775,
    ),
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw/workload"
    folder.mkdir(parents=True)
    for log in LOGS.glob("*.log"):
        shutil.copy(log, folder)
    return tmp_path / "raw"


def values(table: pa.Table) -> dict[tuple[str, str, str, str], float | None]:
    assert table.schema.equals(METRIC_SCHEMA)
    rows = table.to_pylist()
    return {(r["scope"], r["name"], r["metric"], r["stat"]): r["value"] for r in rows}


def by_hand(name: str) -> list[list[int]]:
    """The passes of a log, read without the code under test."""
    return [[int(w) for w in line.split()] for line in (LOGS / name).read_text().split("\n")[2:-1]]


def test_a_task_with_a_timer(raw: Path) -> None:
    outputs = workload_outputs(raw, read_rtapp(FILE), None)
    assert outputs.warnings == []
    found = values(outputs.table)
    passes = by_hand("rt-per8-1.log")
    late = [p[10] for p in passes if p[7] > 0]
    # The first pass came 0.1 s after its timer: rt-app wrote 0, which is no latency.
    assert passes[0][7] < 0 == passes[0][10]
    assert 0 < len(late) < len(passes) == 40
    assert found["task", "per8", "rtapp_wakeup_latency", "count"] == len(late)
    assert found["task", "per8", "rtapp_wakeup_latency", "max"] == max(late) * 1000
    assert found["task", "per8", "rtapp_wakeup_latency", "mean"] == sum(late) / len(late) * 1000
    assert found["task", "per8", "rtapp_slack", "count"] == 40
    slack = sorted(p[7] for p in passes)
    assert found["task", "per8", "rtapp_slack", "p50"] == (slack[19] + slack[20]) / 2 * 1000
    assert found["task", "per8", "rtapp_run", "max"] == max(p[2] for p in passes) * 1000
    assert found["task", "per8", "rtapp_period", "max"] == max(p[3] for p in passes) * 1000


def test_a_task_without_a_timer_has_neither_slack_nor_latency(raw: Path) -> None:
    found = values(workload_outputs(raw, read_rtapp(FILE), None).table)
    for metric in ("rtapp_slack", "rtapp_wakeup_latency"):
        assert found["task", "hog", metric, "count"] == 0
        assert found["task", "hog", metric, "max"] is None
    assert found["task", "hog", "rtapp_run", "count"] == 40


def test_the_workload_is_all_of_its_tasks(raw: Path) -> None:
    found = values(workload_outputs(raw, read_rtapp(FILE), None).table)
    for metric in LOG_METRICS:
        parts = [found["task", task, metric, "count"] for task in ("hog", "per8", "per20")]
        assert found["workload", "", metric, "count"] == sum(parts)
    tops = [found["task", task, "rtapp_slack", "max"] for task in ("per8", "per20")]
    assert found["workload", "", "rtapp_slack", "max"] == max(tops)


def test_the_period_of_a_pass_holds_its_run() -> None:
    for path in LOGS.glob("*.log"):
        log = read_log(path)
        np.testing.assert_array_less(log["run"], log["period"] + 1)
        np.testing.assert_allclose(log["end"] - log["start"], log["period"], atol=1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t[:-20], "line 42: cut short"),
        (lambda t: t[: t.index("\n", 400) - 5] + "\n", "expected 11 integers"),
        (lambda t: t.replace("wu_lat", "other"), "not a log of rt-app 1.0"),
        (lambda t: "", "not a log of rt-app 1.0"),
        (lambda t: t + "1 2 3\n", "line 43: expected 11 integers: '1 2 3'"),
        (lambda t: t.replace("20000", "2000x", 1), "expected 11 integers"),
    ],
)
def test_a_bad_log_is_not_measured(raw: Path, spoil, says: str) -> None:
    log = raw / "workload/rt-per20-2.log"
    log.write_text(spoil(log.read_text()))
    with pytest.raises(ScxvalError, match=says):
        read_log(log)
    outputs = workload_outputs(raw, read_rtapp(FILE), None)
    (warning,) = outputs.warnings
    assert str(log) in warning
    found = values(outputs.table)
    assert found["task", "per20", "rtapp_run", "count"] is None
    # The workload's number would be that of other tasks.
    assert found["workload", "", "rtapp_run", "mean"] is None
    assert found["task", "per8", "rtapp_run", "count"] == 40


def test_a_missing_log_is_not_measured(raw: Path) -> None:
    (raw / "workload/rt-hog-0.log").unlink()
    outputs = workload_outputs(raw, read_rtapp(FILE), None)
    assert "0 rt-app logs of task 'hog', not 1" in outputs.warnings[0]
    assert values(outputs.table)["task", "hog", "rtapp_period", "mean"] is None


def test_a_log_with_no_pass_is_measured_and_empty() -> None:
    header = {name: column[:0] for name, column in read_log(LOGS / "rt-hog-0.log").items()}
    assert all(samples.size == 0 for samples in log_samples(header).values())


def test_what_the_kernel_accounted_to_a_cgroup(raw: Path) -> None:
    shutil.copy(LOGS / "cgroup-capped.cpu.stat", raw / "workload")
    (raw / "workload/cgroup-odd.cpu.stat").write_text("")
    outputs = workload_outputs(raw, None, None)
    found = values(outputs.table)
    assert found["cgroup", "capped", "cgroup_cpu_time", "value"] == 1275419000
    assert found["cgroup", "capped", "cgroup_throttled_periods", "value"] == 26
    assert found["cgroup", "capped", "cgroup_throttled_time", "value"] == 3583558000
    assert found["cgroup", "odd", "cgroup_cpu_time", "value"] is None
    assert len(outputs.warnings) == 1


@pytest.mark.parametrize("name", PRINTED)
def test_the_number_that_a_command_printed(tmp_path: Path, name: str) -> None:
    text, number = PRINTED[name]
    (tmp_path / "workload.log").write_text(text)
    result = load_catalog([ROOT / "config/catalog"]).workloads[name].result
    assert result is not None
    (row,) = workload_outputs(tmp_path, None, result).table.to_pylist()
    assert (row["scope"], row["metric"]) == ("workload", f"result_{result.name}")
    assert (row["value"], row["unit"], row["n"]) == (number, result.unit, 1)


@pytest.mark.parametrize("text", ["", "Time: soon", "Time: 1.2.3"])
def test_a_number_that_is_not_there_is_not_measured(tmp_path: Path, text: str) -> None:
    (tmp_path / "workload.log").write_text(text)
    outputs = workload_outputs(tmp_path, None, Result("time", r"Time: ([\d.]+)", "s"))
    (row,) = outputs.table.to_pylist()
    assert (row["value"], row["n"]) == (None, 0)
    assert len(outputs.warnings) == 1


def test_every_command_of_the_catalogue_has_a_result() -> None:
    workloads = load_catalog([ROOT / "config/catalog"]).workloads.values()
    assert {w.name for w in workloads if w.kind == "command"} == set(PRINTED)
    assert {w.name for w in workloads if w.result} == set(PRINTED)


def test_as_the_workflow_runs_it(raw: Path, tmp_path: Path, capsys) -> None:
    write_events(table([on(10, 0, 1), off(40, 0, 1)]), tmp_path / "events.parquet")
    capability(window_ns=(10, 55)).write(tmp_path / "capability.json")
    (tmp_path / "status.json").write_text(json.dumps({"outcome": "ok", "window_ns": [20, 50]}))
    files = {name: str(tmp_path / f"{name}.parquet") for name in ("events", "metrics")}
    arguments = [
        *("--events", files["events"], "--capability", str(tmp_path / "capability.json")),
        *("--status", str(tmp_path / "status.json"), "--output", files["metrics"]),
        *("--workload", str(FILE), "--raw", str(raw), "--result", "null"),
    ]
    assert main(arguments) == 0
    found = values(pq.read_table(files["metrics"], schema=METRIC_SCHEMA))
    assert found["task", "per8", "rtapp_slack", "count"] == 40
    assert found["task", "t1", "run_time", "value"] == 20
    (raw / "workload/rt-hog-0.log").write_text("")
    assert main(arguments) == 0
    assert "not a log of rt-app 1.0" in capsys.readouterr().err


# As the agent left it in a run of periodic_mix with fair, perf-sched and bpftrace side by side, on tcg4.
COUNTERS = {
    "system": {"interrupts": 3070, "context_switches": 2301, "forks": 4},
    "workload": {
        "user_ns": 4103311000,
        "system_ns": 284805000,
        "voluntary_switches": 213,
        "involuntary_switches": 81,
    },
    "cpu_ns": {"tracer perf-sched": 0, "tracer bpftrace": 2320394919},
}


def test_what_the_kernel_counted(tmp_path: Path) -> None:
    (tmp_path / "counters.json").write_text(json.dumps(COUNTERS))
    found = workload_outputs(tmp_path, None, None)
    assert found.warnings == []
    assert values(found.table) == {
        ("workload", "", "kernel_user_time", "value"): 4103311000,
        ("workload", "", "kernel_system_time", "value"): 284805000,
        ("workload", "", "kernel_voluntary_switches", "value"): 213,
        ("workload", "", "kernel_involuntary_switches", "value"): 81,
        ("system", "", "kernel_context_switches", "value"): 2301,
        ("system", "", "kernel_interrupts", "value"): 3070,
        ("system", "", "kernel_forks", "value"): 4,
        # Nothing is a number too: perf slept all the while.
        ("tracer", "perf-sched", "tracer_cpu_time", "value"): 0,
        ("tracer", "bpftrace", "tracer_cpu_time", "value"): 2320394919,
    }
    units = {(r["metric"], r["unit"]) for r in found.table.to_pylist()}
    assert {unit for metric, unit in units if metric.endswith("_time")} == {"ns"}
    assert {unit for metric, unit in units if not metric.endswith("_time")} == {"count"}


def test_a_tracer_that_ended_and_a_scheduler_s_program(tmp_path: Path) -> None:
    counted = {**COUNTERS, "cpu_ns": {"tracer bpftrace": None, "scheduler": 5000}}
    (tmp_path / "counters.json").write_text(json.dumps(counted))
    rows = {row["metric"]: row for row in workload_outputs(tmp_path, None, None).table.to_pylist()}
    assert (rows["tracer_cpu_time"]["value"], rows["tracer_cpu_time"]["n"]) == (None, 0)
    assert (rows["scheduler_cpu_time"]["scope"], rows["scheduler_cpu_time"]["name"]) == (
        "system",
        "",
    )
    assert rows["scheduler_cpu_time"]["value"] == 5000


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(COUNTERS)[:-30],
        "[]",
        '{"system": {}}',
        json.dumps({**COUNTERS, "cpu_ns": 3}),
        json.dumps({**COUNTERS, "workload": {**COUNTERS["workload"], "user_ns": None}}),
    ],
    ids=["cut", "no record", "without counts", "no processes", "null"],
)
def test_counters_that_are_none_are_one_warning_and_not_measured(tmp_path: Path, text: str) -> None:
    (tmp_path / "counters.json").write_text(text)
    found = workload_outputs(tmp_path, None, None)
    rows = found.table.to_pylist()
    assert len(rows) == 7 and {(row["value"], row["n"]) for row in rows} == {(None, 0)}
    assert {row["metric"][:7] for row in rows} == {"kernel_"}
    (warning,) = found.warnings
    assert "counters.json: not the counters of a run" in warning
