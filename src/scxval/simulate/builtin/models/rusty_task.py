# SPDX-License-Identifier: MIT
"""What scx_rusty 1.1.4 keeps of a task, the deadline it makes of that, and its options.

After struct task_ctx and task_compute_dl() in src/bpf/main.bpf.c, and Opts in src/main.rs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from scxval.errors import ScxvalError

MS = 1_000_000
# src/bpf/intf.h
DL_RUNTIME_SCALE = 2
DL_MAX_LATENCY_NS = 50 * MS
DL_FREQ_FT_MAX = 100_000
DL_MAX_LAT_PRIO = 39
LB_MAX_WEIGHT = 10_000
_PRIO_TO_WEIGHT = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)


@dataclass(frozen=True)
class Options:
    """Those of its options that the model has; percentages in whole numbers."""

    fifo_sched: bool = False
    slice_us_underutil: int = 20_000
    slice_us_overutil: int = 1_000
    greedy_threshold: int = 1
    no_load_balance: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ScxvalError(f"the model of scx_rusty does not take these arguments: {message}")


def parse_options(args: Sequence[str]) -> Options:
    """Its command line. Raises ScxvalError for an option that the model does not have."""
    parser = _Parser(prog="scx_rusty", add_help=False, allow_abbrev=False)
    parser.add_argument("-f", "--fifo-sched", action="store_true")
    parser.add_argument("-u", "--slice-us-underutil", type=int, default=Options.slice_us_underutil)
    parser.add_argument("-o", "--slice-us-overutil", type=int, default=Options.slice_us_overutil)
    parser.add_argument("-g", "--greedy-threshold", type=int, default=Options.greedy_threshold)
    parser.add_argument("--no-load-balance", action="store_true")
    return Options(**vars(parser.parse_args(list(args))))


@dataclass(slots=True)
class Task:
    """struct task_ctx"""

    weight: int
    dom: int = 0
    target_dom: int = 0
    dispatch_local: bool = False
    all_cpus: bool = False
    vtime: int = 0
    deadline: int = 0
    sum_runtime: int = 0
    avg_runtime: int = 0
    last_run_at: int = 0
    last_blocked_at: int = 0
    last_woke_at: int = 0
    waker_freq: int = 0
    blocked_freq: int = 0
    # Of the balancer: since when it is runnable (-1: it is not), and for how long in this interval.
    since: int = -1
    load_ns: int = 0


def compute_dl(task: Task) -> int:
    """task_compute_dl()"""
    waker = min(task.waker_freq, DL_FREQ_FT_MAX)
    blocked = min(task.blocked_freq, DL_FREQ_FT_MAX)
    factor = blocked * waker * waker * task.weight // 100
    # log2_u64() is one more than the logarithm.
    lat_prio = min((factor + 1).bit_length(), DL_MAX_LAT_PRIO)
    run = min(task.avg_runtime // DL_RUNTIME_SCALE, DL_MAX_LATENCY_NS)
    run = (scale_inverse_fair(run, task.weight) + 1).bit_length()
    lat_prio = lat_prio - run if run < lat_prio else 0
    scale = min(_PRIO_TO_WEIGHT[DL_MAX_LAT_PRIO - lat_prio - 1], LB_MAX_WEIGHT)
    return scale_inverse_fair(task.avg_runtime, scale)


def scale_inverse_fair(value: int, weight: int) -> int:
    """Time as virtual time at a weight (100 at nice 0)."""
    return value * 100 // weight


def calc_avg(old: int, new: int) -> int:
    """A quarter of the new value into a running mean."""
    return old - (old >> 2) + (new >> 2)


def update_freq(freq: int, interval: int) -> int:
    """A running mean of how often in 100 ms, after an interval in ns."""
    # BPF divides by zero to zero.
    return calc_avg(freq, 100 * MS // interval if interval else 0)
