# SPDX-License-Identifier: MIT
"""The bpftrace command: which probes a kernel gets, and that script and fixture agree on lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scxval.errors import ScxvalError
from scxval.tracers.bpftrace import LOST_PATTERN, READY_PATTERN, command
from scxval.tracers.bpftrace.probes import COMM_BYTES, NEXT_COMM, PROBES, choose, script

FIXTURE = Path(__file__).parents[2] / "fixtures/bpftrace-rusty"
COMMON = {"select_task_rq_scx", "pick_task_scx", "yield_task_scx", "scx_bpf_kick_cpu"}
V6_12 = frozenset(
    {*COMMON, "balance_scx", "scx_bpf_dispatch", "scx_bpf_dispatch_vtime", "scx_bpf_consume"}
)
V7_2 = frozenset(
    {
        *COMMON,
        "scx_bpf_dsq_insert",
        "scx_bpf_dsq_insert___v2",
        "scx_bpf_dsq_insert_vtime",
        "__scx_bpf_dsq_insert_vtime",
        "scx_bpf_dsq_move_to_local",
        "scx_bpf_dsq_move_to_local___v2",
    }
)


def attached(functions):
    text = command({}, functions).files["trace.bt"]
    return re.findall(r"^((?:tracepoint|kprobe|kretprobe):\S+)", text, re.MULTILINE), text


def test_newest_kernel_never_gets_two_names_of_one_operation():
    points, _ = attached(V7_2)
    kprobes = {p.removeprefix("kprobe:") for p in points if p.startswith("kprobe:scx_bpf")}
    assert kprobes == {
        "scx_bpf_dsq_insert___v2",
        "scx_bpf_dsq_insert_vtime",
        "scx_bpf_dsq_move_to_local___v2",
        "scx_bpf_kick_cpu",
    }
    assert "kprobe:__scx_bpf_dsq_insert_vtime" in points
    assert "kretprobe:scx_bpf_dsq_move_to_local___v2" in points
    assert "kprobe:balance_scx" not in points


def test_oldest_kernel_gets_the_old_names():
    points, _ = attached(V6_12)
    assert {
        "kprobe:balance_scx",
        "kprobe:scx_bpf_dispatch",
        "kprobe:scx_bpf_dispatch_vtime",
        "kprobe:scx_bpf_consume",
        "kretprobe:scx_bpf_consume",
    } <= set(points)
    assert not any("dsq_insert" in p for p in points)


def test_kernel_without_sched_ext_gets_tracepoints_only():
    points, _ = attached(frozenset())
    assert len(points) == 8
    assert points.pop() == "tracepoint:power:cpu_frequency"
    assert all(p.startswith("tracepoint:sched:sched_") for p in points)


def test_header_lists_exactly_what_is_attached():
    points, text = attached(V7_2)
    assert re.findall(r"# probe (\S+?)\\n", text) == points


def test_lines_are_those_of_the_real_script():
    """Every line that the converter reads, in its present or an older form, was printed on 7.2."""
    real = (FIXTURE / "trace.bt").read_text()
    for probe in PROBES:
        for point in (*probe.variants, *probe.returns.values()):
            found = re.search(rf'^{point.point} {{.*printf\("(.*?)\\n"', real, re.MULTILINE)
            if found is None:
                continue
            line = found[1].replace('\\"', '"').removeprefix(f"%llu %d {point.record} ")
            assert line in (point.line, *point.older), point.point


def test_no_name_can_imitate_the_text_between_two_names():
    """Longer than a name, and no name can end with its beginning and be followed by its end."""
    assert len(NEXT_COMM) > COMM_BYTES
    overlap = len(NEXT_COMM) - COMM_BYTES
    assert not any(NEXT_COMM.endswith(NEXT_COMM[:n]) for n in range(overlap, len(NEXT_COMM)))


def test_conversions_match_arguments():
    for point in choose(V7_2 | V6_12):
        depth = 0
        count = 1
        for char in point.args:
            depth += (char == "(") - (char == ")")
            count += char == "," and depth == 0
        assert point.line.count("%") == count, point.point


def test_buffer_pages_go_into_the_environment():
    assert command({"buffer_pages": 64}, V7_2).env == {"BPFTRACE_PERF_RB_PAGES": "64"}


@pytest.mark.parametrize("pages", [0, -4, 3, 4097, "4096", True])
def test_bad_buffer_pages(pages):
    with pytest.raises(ScxvalError, match="power of two"):
        command({"buffer_pages": pages}, V7_2)


def test_unknown_option():
    with pytest.raises(ScxvalError, match=r"buffer_page.*did you mean"):
        command({"buffer_page": 64}, V7_2)


def test_patterns_match_what_bpftrace_prints():
    log = "Attached 24 probes\nLost 7 events\nLost 3 events\n"
    assert re.search(READY_PATTERN, log, re.MULTILINE)
    assert [int(m[1]) for m in re.finditer(LOST_PATTERN, log, re.MULTILINE)] == [7, 3]


def test_script_is_deterministic():
    assert script(choose(V7_2)) == script(choose(frozenset(sorted(V7_2))))
