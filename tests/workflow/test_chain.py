# SPDX-License-Identifier: MIT
"""The whole chain on real machines: scheduler to report, again, one change, and what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from scxval.catalog.exclusion import NO_ISOLCPUS
from scxval.events.capability import read_capability
from scxval.events.table import read_events
from scxval.study.record import read_study
from scxval.study.registry import STUDIES

from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

NARROW = ["scheduler=scx_rusty", "tracer=bpftrace", "machine=tcg4", "reps=1", "simulator=none"]
FAULTS = ["catalog=[config/catalog,faults]", "isolation=none", "reps=1", "simulator=none"]


def outcomes(workdir: Workdir) -> dict[str, str]:
    return {cell: json.loads(f.read_text())["outcome"] for cell, f in workdir.runs().items()}


@pytest.fixture(scope="module")
def chain(make_workdir) -> Workdir:
    """One real scheduler and the baseline, traced, from boot to report."""
    workdir: Workdir = make_workdir("chain")
    done = workdir.snakemake("--config", *NARROW)
    assert done.returncode == 0, done.stdout
    return workdir


def cell_folder(workdir: Workdir, scheduler: str) -> Path:
    return workdir.path / f"results/runs/{scheduler}/periodic_mix/bpftrace/taskset/tcg4/rep0"


def test_cells_ran_under_their_schedulers(chain: Workdir) -> None:
    assert set(outcomes(chain).values()) == {"ok"}
    assert len(outcomes(chain)) == 2
    rusty = json.loads((cell_folder(chain, "scx_rusty") / "status.json").read_text())
    assert rusty["scheduler"]["after"]["ops"].startswith("rusty_")
    assert rusty["scheduler"]["before"] == rusty["scheduler"]["after"]
    fair = json.loads((cell_folder(chain, "fair") / "status.json").read_text())
    assert fair["scheduler"]["after"]["state"] != "enabled"
    node = json.loads((cell_folder(chain, "fair") / "provenance.json").read_text())["node"]
    assert node["name"] and node["batch"] == "" and node["at_once"] == 1


def test_events_show_the_scheduler_at_work(chain: Workdir) -> None:
    kinds = {}
    for scheduler in ("fair", "scx_rusty"):
        table = read_events(cell_folder(chain, scheduler) / "events.parquet")
        kinds[scheduler] = set(pc.unique(table["kind"].cast("string")).to_pylist())
        capability = read_capability(cell_folder(chain, scheduler) / "capability.json")
        assert capability.lost == 0
        assert capability.unparsed == 0
        assert kinds[scheduler] <= set(capability.kinds)
        times = table["time_ns"].to_numpy()
        assert (times[1:] >= times[:-1]).all()
    assert {"TaskScheduled", "TaskSlept", "TaskWoke", "CpuIdle"} <= kinds["fair"]
    ops = {"EnqueueTask", "PickTask", "SetNextTask", "PutPrevTask", "SelectTaskRq", "Tick"}
    assert ops <= kinds["scx_rusty"]
    assert kinds["scx_rusty"] & {"DsqInsert", "DsqInsertVtime"}
    # The fair class never enters a sched_ext function.
    assert not kinds["fair"] & ops


def test_workload_and_tracer_kept_to_their_cpus(chain: Workdir) -> None:
    table = read_events(cell_folder(chain, "scx_rusty") / "events.parquet")
    status = json.loads((cell_folder(chain, "scx_rusty") / "status.json").read_text())
    start, end = status["window_ns"]
    inside = table.filter(
        pc.and_(pc.greater(table["time_ns"], start), pc.less(table["time_ns"], end))
    )
    on_cpu = inside.filter(pc.equal(inside["kind"].cast("string"), "TaskScheduled"))
    for task, cpus in (("hog", {0, 1, 2}), ("per", {0, 1, 2}), ("bpftrace", {3})):
        rows = on_cpu.filter(pc.starts_with(on_cpu["comm"].cast("string"), task))
        assert rows.num_rows > 0, task
        assert set(rows["cpu"].to_pylist()) <= cpus, task


def test_metrics_are_those_of_the_workload(chain: Workdir) -> None:
    for scheduler in ("fair", "scx_rusty"):
        rows = pq.read_table(cell_folder(chain, scheduler) / "metrics.parquet").to_pylist()
        value = {
            (row["scope"], row["name"], row["metric"], row["stat"]): row["value"] for row in rows
        }
        # One CPU-bound task and two periodic ones, on three CPUs for two seconds.
        assert 1.5e9 < value["workload", "", "run_time", "value"] < 6e9
        assert value["workload", "", "threads", "value"] == 3
        assert value["workload", "", "wakeup_latency", "count"] > 50
        assert value["workload", "", "wakeup_latency", "p99"] > 0
        assert 0 < value["cpu", "0", "utilisation", "value"] <= 1
    assert value["workload", "", "dsq_latency", "count"] > 50


def test_report_is_there(chain: Workdir) -> None:
    page = (chain.path / "results/report/index.html").read_text()
    assert "scx_rusty" in page
    assert "4 ok" not in page


def test_a_second_run_does_nothing(chain: Workdir) -> None:
    done = chain.snakemake("--config", *NARROW)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_gate(chain: Workdir) -> None:
    done = chain.snakemake("gate", "--config", *NARROW)
    assert done.returncode == 0, done.stdout
    assert json.loads((chain.path / "results/gate.json").read_text())["pass"]


def test_a_gate_that_fails_leaves_its_reasons(chain: Workdir) -> None:
    gate = "gate={fail_on: {ranking: [not_measured]}}"
    done = chain.snakemake("gate", "--config", *NARROW, gate)
    assert done.returncode == 1 and "gate: study ranking: not_measured: " in done.stdout
    record = json.loads((chain.path / "results/gate.json").read_text())
    assert not record["pass"] and len(record["reasons"]) == 1


def test_studies_summary_and_tables(chain: Workdir) -> None:
    results = chain.path / "results"
    for name in STUDIES:
        study = read_study(results / "study" / name)
        assert study.judgement.reason and study.figure.startswith("<svg")
    summary = json.loads((results / "summary.json").read_text())
    assert set(summary["studies"]) == set(STUDIES) and summary["problems"] == []
    assert summary["cells"]["outcomes"] == {"ok": len(chain.runs())}
    counted = [q for group in summary["groups"] for q in group["quantities"]]
    assert any(q["what"] == "kernel_voluntary_switches value" and q["mean"] > 10 for q in counted)
    tables = results / "report/tables"
    assert pq.read_table(tables / "outcomes.parquet").num_rows == summary["cells"]["planned"]
    assert pq.read_table(tables / "metrics.parquet").num_rows > 1000


def test_the_tracer_used_a_cpu_and_the_kernel_counted(chain: Workdir) -> None:
    counters = json.loads((cell_folder(chain, "scx_rusty") / "raw/counters.json").read_text())
    assert set(counters["cpu_ns"]) == {"tracer bpftrace", "scheduler"}
    assert all(used_ns > 0 for used_ns in counters["cpu_ns"].values())
    assert counters["workload"]["user_ns"] > 1_000_000_000
    assert counters["system"]["context_switches"] > counters["workload"]["voluntary_switches"] > 50


def test_a_night_and_the_traces(chain: Workdir) -> None:
    done = chain.snakemake("history", "perfetto", "--config", *NARROW)
    assert done.returncode == 0, done.stdout
    record = json.loads((chain.path / "results/history/history.json").read_text())
    assert record["nights"] == 1 and record["regressions"] == []
    assert (chain.path / "history/history.sqlite").exists()
    trace = (
        chain.path
        / "results/report/perfetto/scx_rusty/periodic_mix/bpftrace/taskset/tcg4/rep0.pftrace"
    )
    assert trace.stat().st_size > 10_000


def test_snakemakes_own_report(chain: Workdir) -> None:
    page = chain.path / "snakemake.html"
    done = chain.snakemake("--report", str(page), "--config", *NARROW)
    assert done.returncode == 0, done.stdout
    text = page.read_text(encoding="utf-8")
    for name in ("index.html", "figure.svg", "findings.csv", "verdicts.csv", "Studies"):
        assert name in text


def test_a_changed_axis_runs_only_the_new_cell(chain: Workdir) -> None:
    before = {cell: file.stat().st_mtime_ns for cell, file in chain.runs().items()}
    done = chain.snakemake("--config", *NARROW, "scheduler=fair", "tracer=[none,bpftrace]")
    assert done.returncode == 0, done.stdout
    after = {cell: file.stat().st_mtime_ns for cell, file in chain.runs().items()}
    assert set(after) - set(before) == {"fair/periodic_mix/none/taskset/tcg4/rep0"}
    assert {cell: after[cell] for cell in before} == before


def own_probes(workdir: Workdir) -> None:
    """Share the guest, but not what has been probed already."""
    resources = workdir.path / "resources"
    shared = resources.resolve()
    resources.unlink()
    (resources / "probe").mkdir(parents=True)
    for entry in shared.iterdir():
        if entry.name != "probe":
            (resources / entry.name).symlink_to(entry)
    shutil.copy2(shared / "probe/accelerator.json", resources / "probe/accelerator.json")


def test_a_scheduler_that_the_probe_finds_refused_is_not_run(make_workdir) -> None:
    workdir: Workdir = make_workdir("refused")
    own_probes(workdir)
    axes = ["scheduler=pairs", "tracer=none", "workload=who_am_i"]
    # The matrix of another configuration is there already.
    done = workdir.snakemake("compatibility", "--config", *FAULTS, *axes, "machine=tcg2")
    assert done.returncode == 0, done.stdout
    done = workdir.snakemake("--config", *FAULTS, *axes, "machine=tcg3")
    assert done.returncode == 0, done.stdout
    assert outcomes(workdir) == {"fair/who_am_i/none/none/tcg3/rep0": "ok"}
    (excluded,) = json.loads((workdir.path / "results/plan.json").read_text())["excluded"]
    assert excluded["outcome"] == "unsupported"
    assert "scx_pair requires an even CPU count, got 3" in excluded["reason"]


def test_a_scheduler_that_cannot_attach(make_workdir) -> None:
    """isolcpus: the kernel refuses every sched_ext scheduler; the baseline beside it is measured."""
    workdir = make_workdir("rejected")
    axes = ["scheduler=scx_simple", "tracer=none", "machine=[tcg2,isolcpus2]"]
    done = workdir.snakemake("--config", *FAULTS, *axes)
    assert done.returncode == 0, done.stdout
    assert outcomes(workdir) == {
        "fair/periodic_mix/none/none/isolcpus2/rep0": "ok",
        "fair/periodic_mix/none/none/tcg2/rep0": "ok",
        "scx_simple/periodic_mix/none/none/isolcpus2/rep0": "scheduler_rejected",
        "scx_simple/periodic_mix/none/none/tcg2/rep0": "ok",
    }
    rejected = workdir.runs()["scx_simple/periodic_mix/none/none/isolcpus2/rep0"].parent
    # The planner says so without trying where isolation is isolcpus: it must stay true.
    assert NO_ISOLCPUS in (rejected / "raw/dmesg.log").read_text()
    reason = json.loads((rejected / "status.json").read_text())["reason"]
    assert 'the kernel refused the scheduler: Not compatible with "isolcpus="' in reason
    page = (workdir.path / "results/report/index.html").read_text()
    assert "scheduler_rejected" in page
    failed = workdir.snakemake("gate", "--config", *FAULTS, *axes)
    assert failed.returncode == 1
    assert "1 bad cells, 0 allowed" in failed.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="the host launcher needs root")
def test_a_cell_on_the_host_needs_no_guest(make_workdir) -> None:
    workdir = make_workdir("host")
    cell = "fair/periodic_mix/none/taskset/host/rep0"
    axes = ["scheduler=fair", "tracer=none", "machine=host", "reps=1", "simulator=none"]
    done = workdir.snakemake(f"results/runs/{cell}/metrics.parquet", "--config", *axes)
    assert done.returncode == 0, done.stdout
    # Without rt-app on this machine that is what is recorded.
    expected = "ok" if shutil.which("rt-app") else "workload_failed"
    assert outcomes(workdir) == {cell: expected}
    assert "kernel" not in done.stdout.split("rule run_cell:")[1].split("output:")[0]


def test_a_refused_workload_and_a_hung_guest(make_workdir) -> None:
    workdir = make_workdir("workloads")
    done = workdir.snakemake(
        "--config",
        *FAULTS,
        "scheduler=fair",
        "tracer=none",
        "machine=tcg2",
        "workload=[refused,hang,periodic_mix]",
        "limits={total_s: 30}",
    )
    assert done.returncode == 0, done.stdout
    found = {cell.split("/")[1]: outcome for cell, outcome in outcomes(workdir).items()}
    assert found == {"refused": "workload_failed", "hang": "timeout", "periodic_mix": "ok"}
    for cell, file in workdir.runs().items():
        status = json.loads(file.read_text())
        assert bool(status["reason"]) == (status["outcome"] != "ok"), cell
        assert read_events(file.parent / "events.parquet").num_rows == 0
    refused = json.loads(workdir.runs()["fair/refused/none/none/tcg2/rep0"].read_text())
    assert any("ftrace" in line for line in refused["log_tail"])
    assert (workdir.path / "results/report/index.html").exists()


def test_a_tracer_that_dies(make_workdir) -> None:
    workdir = make_workdir("tracer")
    done = workdir.snakemake(
        "--config",
        *FAULTS,
        "scheduler=fair",
        "tracer=[bpftrace,none]",
        "machine=tcg2",
        "workload=kill_tracer",
    )
    assert done.returncode == 0, done.stdout
    found = {cell.split("/")[2]: outcome for cell, outcome in outcomes(workdir).items()}
    # Without a tracer there is nothing to kill, and pkill's complaint is not the workload's end.
    assert found == {"bpftrace": "tracer_failed", "none": "ok"}
    assert (workdir.path / "results/report/index.html").exists()
