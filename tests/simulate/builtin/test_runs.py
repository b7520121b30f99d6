# SPDX-License-Identifier: MIT
"""Each compiled scheduler, whole: engine, shim and its own code under a small busy machine."""

from __future__ import annotations

import pytest

from scxval.simulate.builtin.settings import (
    SLICE_DFL,
    Machine,
    declarations,
    settings_of,
    write_settings,
)
from tests.simulate.builtin.checked import Checked
from tests.simulate.builtin.test_libraries import COMPILED

MS = 1_000_000
ROOM = 1 << 17


class Run:
    """`tasks` are (cgroup weight or None, nice, run_ns, sleep_ns), for `seconds` on 4 CPUs."""

    def __init__(self, libraries, name, args=(), tasks=(), end_ns=1000 * MS):
        sim = self.sim = Checked(libraries / f"{name}.so", 4, SLICE_DFL, end_ns=end_ns)
        chosen = settings_of(name, args, Machine(4, sim.lib.sim_slice_dfl_ns))
        sim.ffi.cdef(declarations(chosen))
        write_settings(sim.lib, chosen)
        lib = self.lib = sim.lib
        cgroups = {None: 0}
        programs = []
        for number, (weight, nice, run_ns, sleep_ns) in enumerate(tasks):
            if weight not in cgroups:
                cgroups[weight] = lib.sim_add_cgroup(0, weight)
            steps = [
                {"op": lib.SIM_OP_LOOP, "value": -1, "arg": 4},
                {"op": lib.SIM_OP_RUN, "value": run_ns},
                {"op": lib.SIM_OP_SLEEP, "value": sleep_ns},
                {"op": lib.SIM_OP_AGAIN, "arg": 0},
                {"op": lib.SIM_OP_EXIT},
            ]
            programs.append(sim.ffi.new("struct sim_insn[]", steps))
            tid = 100 + number
            start_ns = number * 1000
            index = lib.sim_add_task(
                b"t", tid, tid, nice, 0, cgroups[weight], start_ns, programs[-1], len(steps)
            )
            assert index == number, sim.text()
        assert lib.sim_start() == 0, sim.text()
        records = sim.ffi.new("struct sim_record[]", ROOM)
        self.records = b""
        while (got := lib.sim_run(records, ROOM)) > 0:
            self.records += sim.ffi.buffer(records)[: got * sim.ffi.sizeof("struct sim_record")]
        assert got == 0, sim.text()
        self.ended, self.text = lib.sim_ended(), sim.text()
        self.runtimes_ns = [lib.sim_task_runtime(n) for n in range(len(tasks))]


MIXED = [(None, 0, 5 * MS, 3 * MS), (100, 0, 50 * MS, MS), (300, -5, 2 * MS, MS)] * 3


@pytest.mark.parametrize("name", COMPILED)
def test_runs_to_the_end_and_again_the_same(libraries, name):
    first = Run(libraries, name, tasks=MIXED)
    assert (first.ended, first.text) == (first.lib.SIM_DONE, "")
    assert all(runtime > 0 for runtime in first.runtimes_ns)
    again = Run(libraries, name, tasks=MIXED)
    assert first.records == again.records


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("scx_simple", ["-f"]),
        ("scx_central", ["-s", "5000", "-c", "3"]),
        ("scx_qmap", ["-s", "5000", "-H", "-P", "-M", "-b", "4"]),
        ("scx_flatcg", ["-f", "-s", "5000"]),
    ],
)
def test_options_change_what_happens(libraries, name, args):
    plain, other = Run(libraries, name, tasks=MIXED), Run(libraries, name, args, MIXED)
    assert (other.ended, other.text) == (other.lib.SIM_DONE, "")
    assert plain.records != other.records


def test_flatcg_gives_cgroups_their_weights(libraries):
    """Its own hierarchy of weights: cgroup storage, the rbtree and the stash of nodes all take part."""
    busy = [(weight, 0, 50 * MS, 1) for weight in (100, 300) for _ in range(8)]
    run = Run(libraries, "scx_flatcg", tasks=busy, end_ns=4000 * MS)
    light, heavy = sum(run.runtimes_ns[:8]), sum(run.runtimes_ns[8:])
    assert heavy / light == pytest.approx(3, rel=0.1)


def test_simple_gives_tasks_their_weights(libraries):
    busy = [(None, nice, 50 * MS, 1) for nice in (0, -3) for _ in range(6)]
    run = Run(libraries, "scx_simple", tasks=busy, end_ns=8000 * MS)
    light, heavy = sum(run.runtimes_ns[:6]), sum(run.runtimes_ns[6:])
    # Nice 0 and -3 weigh 1024 and 1991: 100 and 194 on sched_ext's scale.
    assert heavy / light == pytest.approx(1.94, rel=0.1)


def test_cpu0_leaves_the_others_idle(libraries):
    busy = [(None, 0, 50 * MS, 1)] * 4
    run = Run(libraries, "scx_cpu0", tasks=busy)
    assert sum(run.runtimes_ns) == pytest.approx(1000 * MS, rel=0.02)


def test_qmap_tells_what_it_prints(libraries):
    run = Run(libraries, "scx_qmap", ["-P"], MIXED, end_ns=1500 * MS)
    assert "SCX_EV_SELECT_CPU_FALLBACK: 0" in run.sim.log()


def test_qmap_that_runs_out_of_slots_is_ejected_in_its_own_words(libraries):
    run = Run(libraries, "scx_qmap", ["-N", "2"], MIXED)
    assert run.ended == run.lib.SIM_EJECTED
    assert "scx_qmap.bpf.c:778: task_ctx slab exhausted (max_tasks=2)" in run.text
    # The third is not forked, the others go on without the scheduler.
    assert [runtime > 0 for runtime in run.runtimes_ns] == [True, True, False] + [True] * 6
