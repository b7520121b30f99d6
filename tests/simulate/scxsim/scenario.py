# SPDX-License-Identifier: MIT
"""A small scripted run: what the simulator would have recorded, as plain records, from a seed.

Tasks run on their CPU in turn. Each CPU has its own clock, so that the list is not in order of time,
as the simulator's is not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

LOCAL, GLOBAL, LOCAL_ON = (1 << 63) + 2, (1 << 63) + 1, 0xC000000000000000


@dataclass(frozen=True)
class Record:
    """One event: time, CPU, the name of its kind, its fields."""

    time_ns: int
    cpu: int
    kind: str
    args: dict[str, Any] = field(default_factory=dict)


def scenario(
    tasks: list[str], cpus: int, duration_ns: int, seed: int, steps: int = 12
) -> list[Record]:
    """The records of a run of `steps` turns, CPU after CPU."""
    rng = random.Random(seed)
    out: list[Record] = []
    pids = list(range(1, len(tasks) + 1))
    for pid in pids:
        out.append(Record(0, 0, "InitTask", {"pid": pid, "rc": 0}))
        out.append(Record(0, 0, "Enable", {"pid": pid}))
    for cpu in range(cpus):
        mine = [pid for pid in pids if pid % cpus == cpu]
        if mine:
            _cpu(out, rng, cpu, cpus, mine, duration_ns, steps)
    return out


def _cpu(out, rng, cpu, cpus, mine, duration_ns, steps):
    turn = max(200, duration_ns // (steps + 1))
    now = rng.randrange(turn)
    for step in range(steps):
        pid = rng.choice(mine)

        def at(kind, _now=None, **args):
            nonlocal now
            now += rng.randrange(0, 40)
            out.append(Record(now, cpu, kind, args))

        chosen = rng.randrange(cpus)
        at("TaskWoke", pid=pid)
        at("SelectTaskRq", pid=pid, prev_cpu=cpu, selected_cpu=chosen)
        at("Runnable", pid=pid, enq_flags=1)
        at("EnqueueTask", pid=pid, enq_flags=rng.choice([0, 1, 1 << 63]))
        dsq = rng.choice([LOCAL, GLOBAL, LOCAL_ON | chosen, 0, 77])
        if rng.random() < 0.5:
            at("DsqInsert", pid=pid, dsq_id=dsq, slice=rng.choice([0, 20_000_000, (1 << 64) - 1]))
        else:
            vtime = rng.choice([0, 5, (1 << 64) - 9])
            at("DsqInsertVtime", pid=pid, dsq_id=dsq, slice=5_000_000, vtime=vtime)
        at("KickCpu", target_cpu=chosen)
        at("Balance", prev_pid=rng.choice([None, mine[0]]))
        at("DsqMoveToLocal", dsq_id=77, success=rng.random() < 0.5)
        at("PickTask", pid=pid)
        at("SetNextTask", pid=pid)
        at("UpdateIdle", cpu=cpu, idle=False)
        at("TaskScheduled", pid=pid)
        now += rng.randrange(turn // 2)
        at("Tick", pid=pid)
        if step == steps - 1:
            out.append(Record(max(now, duration_ns), cpu, "SimulationEnd", {"pid": pid}))
            return
        at("PutPrevTask", pid=pid, still_runnable=rng.random() < 0.5)
        at(rng.choice(["TaskPreempted", "TaskYielded", "TaskSlept", "TaskCompleted"]), pid=pid)
        at("CpuIdle")
        now = max(now, (step + 1) * turn)
