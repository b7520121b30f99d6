# SPDX-License-Identifier: MIT
"""The one table of bpftrace probes: where each attaches, the line it prints, the rows it becomes.

The script and the converter are both derived from it, so that they cannot disagree. Every line is
`<nsecs monotonic> <cpu> <record> key=value...` with task names last and in quotes, because a name
may hold anything. Kernel facts are of 7.2 (kernel/sched/ext/ext.c, include/trace/events/sched.h)
unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from scxval.events.schema import Reason, TraceKind

# A name ends at 15 bytes (TASK_COMM_LEN 16). Between two names stands a text that is longer than a
# name and does not begin as it ends, so that no name can imitate it.
COMM_BYTES = 15
NEXT_COMM = '" and next_comm="'
NEXT_COMM_OLDER = '" next_comm="'

HEADER = "# scxval bpftrace 1"
HEADER_PROBE = "# probe "
BEGIN, END = "BEGIN", "END"


@dataclass(frozen=True)
class Point:
    """One attach point: `setup` statements, then one printf of `line` filled with `args`.

    `older` are line formats of scripts that were in use before; the converter still reads them.
    """

    point: str
    line: str
    args: str
    setup: str = ""
    older: tuple[str, ...] = ()

    @property
    def function(self) -> str | None:
        """The kernel function it needs; None for a tracepoint."""
        provider, _, name = self.point.partition(":")
        return name if provider in ("kprobe", "kretprobe") else None

    @property
    def record(self) -> str:
        """The name that its lines carry: the function or tracepoint, with _ret for a return."""
        name = self.point.rpartition(":")[2]
        return f"{name}_ret" if self.point.startswith("kretprobe:") else name

    @property
    def statement(self) -> str:
        """The probe as bpftrace source."""
        line = self.line.replace('"', '\\"')
        text = f"%llu %d {self.record} {line}\\n"
        return (
            f'{self.point} {{ {self.setup}printf("{text}", nsecs(monotonic), cpu, {self.args}); }}'
        )


@dataclass(frozen=True)
class Probe:
    """One kernel operation and the event row that each of its records becomes.

    `variants` are the names the operation has had, the preferred first: where two exist the older
    calls the newer, so only one is ever attached or counted. `returns` holds the return probe of a
    variant. `columns` maps a column to a key of the line, `return_columns` to one of the return's
    line. `kind` is None for records that are evidence only.
    """

    variants: tuple[Point, ...]
    kind: TraceKind | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    returns: Mapping[str, Point] = field(default_factory=dict)
    return_columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sched_ext(self) -> bool:
        """Whether only a sched_ext scheduler can make it fire."""
        return "scx" in self.variants[0].record


def _tracepoint(name: str, line: str, args: str, *older: str) -> Point:
    return Point(f"tracepoint:sched:{name}", line, args, older=older)


def _entry(function: str, line: str, args: str, setup: str = "") -> Point:
    return Point(f"kprobe:{function}", line, args, setup)


def _return(function: str, line: str, args: str, setup: str = "", *older: str) -> dict[str, Point]:
    return {function: Point(f"kretprobe:{function}", line, args, setup, older)}


_P0 = "$p = (struct task_struct *)arg0; "
_RQ = "$rq = (struct rq *)arg0; "
_RQ_P = f"{_RQ}$p = (struct task_struct *)arg1; "

SWITCH = Probe(
    (
        _tracepoint(
            "sched_switch",
            "prev_pid=%d prev_prio=%d prev_state=0x%llx next_pid=%d next_prio=%d prev_tgid=%d "
            f'prev_comm="%s{NEXT_COMM}%s"',
            # The tracepoint fires while prev is current, so pid is the thread group of prev.
            "args.prev_pid, args.prev_prio, args.prev_state, args.next_pid, args.next_prio, pid, "
            "args.prev_comm, args.next_comm",
            "prev_pid=%d prev_prio=%d prev_state=0x%llx next_pid=%d next_prio=%d "
            f'prev_comm="%s{NEXT_COMM_OLDER}%s"',
        ),
    ),
)
# Rows of a switch; convert.py says when each is made.
SWITCH_KINDS = (
    TraceKind.TASK_SCHEDULED,
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_COMPLETED,
    TraceKind.CPU_IDLE,
)

EXIT = Probe(
    (
        _tracepoint(
            "sched_process_exit",
            'pid=%d tgid=%d prio=%d comm="%s"',
            "args.pid, pid, args.prio, args.comm",
        ),
    ),
    columns={"tid": "pid", "pid": "tgid", "comm": "comm"},
)

# do_sched_yield() calls the class of the current task. Without the fair class's probe a trace of
# the kernel's own scheduler would show no yield, which is not the same as none.
YIELDS = (
    Probe((_entry("yield_task_scx", "by=%d rq_cpu=%d", "tid, $rq->cpu", _RQ),)),
    Probe((_entry("yield_task_fair", "by=%d rq_cpu=%d", "tid, $rq->cpu", _RQ),)),
)


def _wakeup(name: str, reason: Reason) -> Probe:
    return Probe(
        (
            _tracepoint(
                name,
                'by=%d pid=%d prio=%d target_cpu=%d comm="%s"',
                "tid, args.pid, args.prio, args.target_cpu, args.comm",
            ),
        ),
        TraceKind.TASK_WOKE,
        {"tid": "pid", "comm": "comm", "other_tid": "by", "other_cpu": "target_cpu"},
        reason,
    )


MIGRATE = Probe(
    (
        _tracepoint(
            "sched_migrate_task",
            "by=%d pid=%d prio=%d orig_cpu=%d dest_cpu=%d",
            "tid, args.pid, args.prio, args.orig_cpu, args.dest_cpu",
        ),
    ),
    TraceKind.TASK_MIGRATED,
    {"tid": "pid", "other_tid": "by", "other_cpu": "dest_cpu"},
)
FORK = Probe(
    (_tracepoint("sched_process_fork", "pid=%d child_pid=%d", "args.parent_pid, args.child_pid"),),
    TraceKind.TASK_FORKED,
    {"tid": "child_pid", "other_tid": "pid"},
)

SELECT_TASK_RQ = Probe(
    (
        _entry(
            "select_task_rq_scx",
            "by=%d pid=%d prev_cpu=%d wake_flags=0x%x",
            "tid, $p->pid, (int32)arg1, (uint32)arg2",
            _P0,
        ),
    ),
    TraceKind.SELECT_TASK_RQ,
    {"tid": "pid", "other_tid": "by", "flags": "wake_flags"},
    returns=_return("select_task_rq_scx", "by=%d ret_cpu=%d", "tid, (int32)retval"),
    return_columns={"other_cpu": "ret_cpu"},
)

_ON_RQ = {"tid": "pid", "other_tid": "by", "other_cpu": "rq_cpu"}


def _queue_op(function: str, kind: TraceKind) -> Probe:
    return Probe(
        (
            _entry(
                function,
                "by=%d rq_cpu=%d pid=%d flags=0x%x",
                "tid, $rq->cpu, $p->pid, (uint32)arg2",
                _RQ_P,
            ),
        ),
        kind,
        {**_ON_RQ, "flags": "flags"},
    )


# 6.12 to 6.18 only: later kernels do this inside the pick.
BALANCE = Probe(
    (_entry("balance_scx", "by=%d rq_cpu=%d pid=%d", "tid, $rq->cpu, $p->pid", _RQ_P),),
    TraceKind.BALANCE,
    _ON_RQ,
)
PICK_TASK = Probe(
    (_entry("pick_task_scx", "by=%d rq_cpu=%d", "tid, $rq->cpu", _RQ),),
    TraceKind.PICK_TASK,
    {"other_tid": "by", "other_cpu": "rq_cpu"},
    # Returns a task, NULL, or RETRY_TASK, which is (void *)-1.
    returns=_return(
        "pick_task_scx",
        "by=%d pid=%d ret=%d",
        "tid, $ret ? $p->pid : -1, $ret",
        "$p = (struct task_struct *)retval; "
        "$ret = retval != 0 && retval != 0xffffffffffffffff ? 1 : 0; ",
    ),
    return_columns={"tid": "pid", "success": "ret"},
)
SET_NEXT_TASK = Probe(
    (
        _entry(
            "set_next_task_scx",
            "by=%d rq_cpu=%d pid=%d first=%d slice=%llu",
            "tid, $rq->cpu, $p->pid, arg2 & 0xff, $p->scx.slice",
            _RQ_P,
        ),
    ),
    TraceKind.SET_NEXT_TASK,
    {**_ON_RQ, "slice_ns": "slice"},
)
PUT_PREV_TASK = Probe(
    (
        _entry(
            "put_prev_task_scx",
            "by=%d rq_cpu=%d pid=%d slice=%llu next_pid=%d",
            "tid, $rq->cpu, $p->pid, $p->scx.slice, arg2 ? $n->pid : -1",
            f"{_RQ_P}$n = (struct task_struct *)arg2; ",
        ),
    ),
    TraceKind.PUT_PREV_TASK,
    {"tid": "pid", "other_tid": "next_pid", "other_cpu": "rq_cpu", "slice_ns": "slice"},
)
TICK = Probe(
    (
        _entry(
            "task_tick_scx",
            "rq_cpu=%d pid=%d slice=%llu",
            "$rq->cpu, $p->pid, $p->scx.slice",
            _RQ_P,
        ),
    ),
    TraceKind.TICK,
    {"tid": "pid", "other_cpu": "rq_cpu", "slice_ns": "slice"},
)


def _insert(function: str) -> Point:
    return _entry(
        function,
        "by=%d pid=%d dsq=0x%llx slice=%llu enq_flags=0x%llx",
        "tid, $p->pid, arg1, arg2, arg3",
        _P0,
    )


def _insert_vtime(function: str, args: str, setup: str = _P0) -> Point:
    return _entry(
        function,
        "by=%d pid=%d dsq=0x%llx slice=%llu vtime=%llu enq_flags=0x%llx",
        f"tid, $p->pid, {args}",
        setup,
    )


_INSERTED = {
    "tid": "pid",
    "other_tid": "by",
    "dsq_id": "dsq",
    "slice_ns": "slice",
    "flags": "enq_flags",
}
DSQ_INSERT = Probe(
    # Since 6.19 scx_bpf_dsq_insert() calls ___v2; in 6.13 and 6.14 scx_bpf_dispatch() called it.
    tuple(
        _insert(name)
        for name in ("scx_bpf_dsq_insert___v2", "scx_bpf_dsq_insert", "scx_bpf_dispatch")
    ),
    TraceKind.DSQ_INSERT,
    _INSERTED,
)
# Since 6.19 there are two ways to insert by vtime and neither calls the other: both are probed.
DSQ_INSERT_VTIME = Probe(
    (
        _insert_vtime(
            "__scx_bpf_dsq_insert_vtime",
            "$a->dsq_id, $a->slice, $a->vtime, $a->enq_flags",
            f"{_P0}$a = (struct scx_bpf_dsq_insert_vtime_args *)arg1; ",
        ),
    ),
    TraceKind.DSQ_INSERT_VTIME,
    {**_INSERTED, "vtime": "vtime"},
)
DSQ_INSERT_VTIME_COMPAT = Probe(
    tuple(
        _insert_vtime(name, "arg1, arg2, arg3, arg4")
        for name in ("scx_bpf_dsq_insert_vtime", "scx_bpf_dispatch_vtime")
    ),
    TraceKind.DSQ_INSERT_VTIME,
    {**_INSERTED, "vtime": "vtime"},
)

_MOVE_V2 = "scx_bpf_dsq_move_to_local___v2"
_MOVES = ("scx_bpf_dsq_move_to_local", "scx_bpf_consume")
# The older return line has no `by`.
_MOVED = ("by=%d ret=%d", "tid, retval & 0xff", "", "ret=%d")
DSQ_MOVE_TO_LOCAL = Probe(
    # Since 7.1 scx_bpf_dsq_move_to_local() calls ___v2.
    (
        _entry(_MOVE_V2, "by=%d dsq=0x%llx enq_flags=0x%llx", "tid, arg0, arg1"),
        *(_entry(name, "by=%d dsq=0x%llx", "tid, arg0") for name in _MOVES),
    ),
    TraceKind.DSQ_MOVE_TO_LOCAL,
    {"other_tid": "by", "dsq_id": "dsq", "flags": "enq_flags"},
    returns={
        name: point for f in (_MOVE_V2, *_MOVES) for name, point in _return(f, *_MOVED).items()
    },
    return_columns={"success": "ret"},
)
# A request; scx_bpf_kick_cid() (7.1) names a CPU in another way and is not seen.
KICK_CPU = Probe(
    (_entry("scx_bpf_kick_cpu", "by=%d target=%d flags=0x%llx", "tid, (int32)arg0, arg1"),),
    TraceKind.KICK_CPU,
    {"other_tid": "by", "other_cpu": "target", "flags": "flags"},
)

# Where no frequency driver is, as in a guest, it is there and never fires.
CPU_FREQUENCY = Probe(
    (
        Point(
            "tracepoint:power:cpu_frequency",
            "by=%d on_cpu=%d khz=%llu",
            "tid, args.cpu_id, args.state",
        ),
    ),
    TraceKind.CPU_FREQUENCY,
    {"other_tid": "by", "other_cpu": "on_cpu", "flags": "khz"},
)

PROBES: tuple[Probe, ...] = (
    SWITCH,
    _wakeup("sched_waking", Reason.WAKING),
    _wakeup("sched_wakeup", Reason.WAKEUP),
    _wakeup("sched_wakeup_new", Reason.WAKEUP_NEW),
    MIGRATE,
    FORK,
    EXIT,
    SELECT_TASK_RQ,
    _queue_op("enqueue_task_scx", TraceKind.ENQUEUE_TASK),
    _queue_op("dequeue_task_scx", TraceKind.DEQUEUE_TASK),
    BALANCE,
    PICK_TASK,
    SET_NEXT_TASK,
    PUT_PREV_TASK,
    TICK,
    *YIELDS,
    DSQ_INSERT,
    DSQ_INSERT_VTIME,
    DSQ_INSERT_VTIME_COMPAT,
    DSQ_MOVE_TO_LOCAL,
    KICK_CPU,
    CPU_FREQUENCY,
)


def choose(functions: Set[str]) -> list[Point]:
    """The attach points for a kernel with these functions: of each probe the first that exists."""
    chosen: list[Point] = []
    for probe in PROBES:
        for point in probe.variants:
            if point.function is None:
                chosen.append(point)
                break
            if point.function in functions:
                chosen.append(point)
                if point.function in probe.returns:
                    chosen.append(probe.returns[point.function])
                break
    return chosen


def script(points: Iterable[Point]) -> str:
    """The bpftrace program: a header that lists what is attached, then one probe a line.

    A point that does not exist makes bpftrace end with an error (its default for missing probes).
    """
    points = list(points)
    header = "".join(f"{HEADER_PROBE}{point.point}\\n" for point in points)
    return "\n".join(
        [
            "// One line an event: <nsecs monotonic> <cpu> <record> key=value..., task names last.",
            f'BEGIN {{ printf("{HEADER}\\n{header}%llu %d BEGIN\\n", nsecs(monotonic), cpu); }}',
            'END { printf("%llu %d END\\n", nsecs(monotonic), cpu); }',
            *(point.statement for point in points),
            "",
        ]
    )
