# SPDX-License-Identifier: MIT
"""A machine's parameters out of a traced run on it: what a wakeup, a switch, a tick and a sleep took there.

docs/simulate.md defines each parameter by what the engine does with it; here is how each is read from an
event table. One that the run does not show keeps its default, and its source says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.catalog.outcomes import Outcome
from scxval.catalog.rtapp import RtApp, Task, read_rtapp
from scxval.errors import ScxvalError, run_step
from scxval.events.capability import read_capability
from scxval.events.schema import SWITCH_OUT_KINDS, Reason, TraceKind
from scxval.events.table import read_events
from scxval.files import write_json
from scxval.simulate.parameters import Parameters, parameter_names, parameters_record, with_given

I64 = npt.NDArray[np.int64]

GIVEN = "given: simulate.parameters of the configuration"

# Fewer samples than this say nothing.
MIN_SAMPLES = 20
# Frequencies that kernels are configured with (kernel/Kconfig.hz); the nearest is meant within a tenth.
HZ = (100, 250, 300, 1000)
# The standard deviation of a normal distribution for each of its median absolute deviation.
_MAD = 1.4826
_MAX_CV_PPM = 1_000_000
# A wakeup's CPU picks within this, or had something else to do.
_WAKE_NS = 100_000_000


@dataclass(frozen=True)
class Rows:
    """What is read of the table, in its order; -1 where it says nothing. `kind` are TraceKind's texts."""

    time_ns: I64
    cpu: I64
    kind: npt.NDArray[np.str_]
    tid: I64
    other_cpu: I64
    other_tid: I64
    reason: npt.NDArray[np.str_]
    comm: npt.NDArray[np.str_]

    def of(self, *kinds: TraceKind) -> I64:
        """The places of rows of these kinds."""
        return np.flatnonzero(np.isin(self.kind, [str(kind) for kind in kinds]))


@dataclass(frozen=True)
class Measured:
    """Samples of one quantity, and what they are samples of."""

    samples: I64
    what: str

    @property
    def median(self) -> int:
        """The middle sample."""
        return round(float(np.median(self.samples)))

    @property
    def cv_ppm(self) -> int:
        """Coefficient of variation: the median absolute deviation as a normal one's, over the median."""
        if not self.median:
            return 0
        mad = float(np.median(np.abs(self.samples - np.median(self.samples))))
        return min(_MAX_CV_PPM, round(mad * _MAD / self.median * 1e6))


def read_rows(table: pa.Table, window_ns: tuple[int, int]) -> Rows:
    """The rows within the workload's window, and those shortly before it that started its threads."""
    inside = pc.and_(
        pc.greater_equal(table["time_ns"], window_ns[0]),
        pc.less_equal(table["time_ns"], window_ns[1]),
    )
    table = table.filter(inside)

    def number(name: str) -> I64:
        values: I64 = pc.fill_null(table[name].cast(pa.int64()), -1).to_numpy()
        return values

    def text(name: str) -> npt.NDArray[np.str_]:
        return np.array(pc.fill_null(table[name].cast(pa.string()), "").to_pylist(), dtype=np.str_)

    return Rows(
        time_ns=number("time_ns"),
        cpu=number("cpu"),
        kind=text("kind"),
        tid=number("tid"),
        other_cpu=number("other_cpu"),
        other_tid=number("other_tid"),
        reason=text("reason"),
        comm=text("comm"),
    )


def calibrate(table: pa.Table, window_ns: tuple[int, int], file: RtApp, cell: str) -> Parameters:
    """Parameters from one run of the calibration workload. `cell` is its path, for `sources`."""
    rows = read_rows(table, window_ns)
    found: dict[str, int] = {}
    sources: dict[str, str] = {}

    def take(name: str, value: Callable[[Measured], int], measured: Measured) -> None:
        count = len(measured.samples)
        if count < MIN_SAMPLES:
            sources[name] = f"default: {count} {measured.what} in {cell}, {MIN_SAMPLES} are needed"
            return
        found[name] = value(measured)
        sources[name] = f"calibration cell {cell}: {count} {measured.what}"

    wake, pick, ipi = _wakeups(rows, file)
    take("wake_ns", lambda m: max(1, m.median), wake)
    take("wake_cv_ppm", lambda m: m.cv_ppm, wake)
    take("switch_ns", lambda m: max(1, m.median), pick)
    take("switch_cv_ppm", lambda m: m.cv_ppm, pick)
    take("ipi_ns", lambda m: max(1, m.median), ipi)
    take("tick_ns", _tick_ns, _ticks(rows))
    late = _sleeps(rows, file)
    take("sleep_late_ns", lambda m: max(0, m.median), late)
    take("sleep_late_cv_ppm", lambda m: m.cv_ppm, late)
    scale = _runs(rows, file, found.get("switch_ns", Parameters().switch_ns))
    take("run_scale_ppm", lambda m: max(1, m.median), scale)
    take("run_cv_ppm", lambda m: m.cv_ppm, scale)
    if "run_scale_ppm" in found:
        found["rtapp_calibration"] = int(file.settings["calibration"])
        sources["rtapp_calibration"] = f"calibration cell {cell}: `calibration` of its rt-app file"
    else:
        sources["rtapp_calibration"] = "default: run_scale_ppm is not measured"
    spawned = _spawns(rows, file)
    # Three threads give two intervals: a few are all there ever are.
    if len(spawned.samples):
        found["spawn_ns"] = max(1, spawned.median)
        sources["spawn_ns"] = f"calibration cell {cell}: {len(spawned.samples)} {spawned.what}"
    else:
        sources["spawn_ns"] = f"default: no {spawned.what} in {cell}"
    return Parameters(**found, sources=sources)


def _tick_ns(measured: Measured) -> int:
    """The period of the configured frequency that the median is nearest to, else the median."""
    periods = [1_000_000_000 // hz for hz in HZ]
    nearest = min(periods, key=lambda period: abs(period - measured.median))
    return nearest if abs(nearest - measured.median) <= nearest // 10 else max(1, measured.median)


def _wakeups(rows: Rows, file: RtApp) -> tuple[Measured, Measured, Measured]:
    """Of wakeups of the workload's tasks onto an idle CPU: waking to sched_switch; the pick before that to
    the sched_switch; and, onto another CPU than the waker's, the wakeup (the IPI is sent) to the pick.
    """
    names = [task.name for task in file.tasks]
    on_cpu = _on_cpu(rows)
    waking = rows.of(TraceKind.TASK_WOKE)
    first = waking[(rows.reason[waking] == str(Reason.WAKING)) & np.isin(rows.comm[waking], names)]
    second = waking[rows.reason[waking] == str(Reason.WAKEUP)]
    ins = rows.of(TraceKind.TASK_SCHEDULED)
    picks = rows.of(TraceKind.PICK_TASK)
    wake: list[int] = []
    switch: list[int] = []
    ipi: list[int] = []
    for row in first:
        tid = rows.tid[row]
        here = ins[np.searchsorted(ins, row) :]
        into = here[rows.tid[here] == tid][:1]
        if not len(into) or rows.time_ns[into[0]] - rows.time_ns[row] > _WAKE_NS:
            continue
        place = int(into[0])
        cpu = rows.cpu[place]
        # The switch-in names who went off: 0 is idle, so nobody stood in its way.
        if rows.other_tid[place] != 0 or not _was_idle(rows, on_cpu, cpu, int(row)):
            continue
        wake.append(int(rows.time_ns[place] - rows.time_ns[row]))
        before = picks[: np.searchsorted(picks, place)]
        chosen = before[(before > row) & (rows.cpu[before] == cpu)][:1]
        if not len(chosen):
            continue
        switch.append(int(rows.time_ns[place] - rows.time_ns[chosen[0]]))
        between = second[(second > row) & (second < place)]
        sent = between[(rows.tid[between] == tid) & (rows.cpu[between] != cpu)][:1]
        if len(sent) and rows.time_ns[chosen[0]] > rows.time_ns[sent[0]]:
            ipi.append(int(rows.time_ns[chosen[0]] - rows.time_ns[sent[0]]))
    onto = "onto an idle CPU"
    return (
        Measured(np.array(wake, np.int64), f"wakeups {onto}, waking to sched_switch"),
        Measured(np.array(switch, np.int64), f"wakeups {onto}, pick to sched_switch"),
        Measured(np.array(ipi, np.int64), "wakeups onto another, idle CPU, wakeup to pick"),
    )


def _on_cpu(rows: Rows) -> dict[int, I64]:
    """The places of switch-ins and idle rows of each CPU."""
    switches = rows.of(TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE)
    return {int(cpu): switches[rows.cpu[switches] == cpu] for cpu in np.unique(rows.cpu)}


def _was_idle(rows: Rows, on_cpu: dict[int, I64], cpu: int, row: int) -> bool:
    before = on_cpu[int(cpu)]
    last = before[: np.searchsorted(before, row)][-1:]
    return bool(len(last)) and rows.kind[last[0]] == str(TraceKind.CPU_IDLE)


def _ticks(rows: Rows) -> Measured:
    """Ticks of one CPU after another while the same task runs on."""
    found = []
    marks = rows.of(TraceKind.TICK, TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE)
    for cpu in np.unique(rows.cpu[marks]):
        own = marks[rows.cpu[marks] == cpu]
        tick = rows.kind[own] == str(TraceKind.TICK)
        both = tick[1:] & tick[:-1]
        found.append(np.diff(rows.time_ns[own])[both])
    samples = np.concatenate(found) if found else np.zeros(0, np.int64)
    return Measured(samples, "intervals from tick to tick of a task that runs on, rounded to a HZ")


def _sleep_ns(task: Task) -> int:
    """How long a task sleeps in its one `sleep`; 0 when it has not just one, or waits for other things."""
    kinds = [event.kind for event in task.events]
    if kinds.count("sleep") != 1 or {"timer", "suspend", "wait", "sync", "barrier", "lock"} & set(
        kinds
    ):
        return 0
    return next(int(event.value) for event in task.events if event.kind == "sleep") * 1000


def _sleeps(rows: Rows, file: RtApp) -> Measured:
    """From where a task sleeps to its waking, beyond the length of its sleep."""
    found = []
    for task in file.tasks:
        asked_ns = _sleep_ns(task)
        if not asked_ns:
            continue
        for own in _by_thread(rows, task.name, TraceKind.TASK_SLEPT, TraceKind.TASK_WOKE):
            slept = rows.kind[own] == str(TraceKind.TASK_SLEPT)
            woke = rows.reason[own] == str(Reason.WAKING)
            pair = slept[:-1] & woke[1:]
            found.append(np.diff(rows.time_ns[own])[pair] - asked_ns)
    samples = np.concatenate(found) if found else np.zeros(0, np.int64)
    # A sleep that something else cut short is none.
    return Measured(
        samples[samples >= 0], "sleeps, from sched_switch to waking, beyond their length"
    )


def _runs(rows: Rows, file: RtApp, switch_ns: int) -> Measured:
    """CPU time from waking to sleeping, over what its `run` asks for, in ppm; of tasks with one run
    and one sleep.
    """
    found = []
    for task in file.tasks:
        kinds = [event.kind for event in task.events]
        if sorted(kinds) != ["run", "sleep"]:
            continue
        asked = next(int(event.value) for event in task.events if event.kind == "run") * 1000
        kinds_read = (TraceKind.TASK_SCHEDULED, *SWITCH_OUT_KINDS)
        for own in _by_thread(rows, task.name, *kinds_read):
            found.append(_cpu_times(rows, own, switch_ns) * 1_000_000 // asked)
    samples = np.concatenate(found) if found else np.zeros(0, np.int64)
    return Measured(samples, "runs, CPU time in ppm of what was asked for, less a switch each")


def _cpu_times(rows: Rows, own: I64, switch_ns: int) -> I64:
    """CPU time between one sleep of a thread and the next, each switch-in costing switch_ns."""
    totals, total, since = [], 0, -1
    for place in own:
        if rows.kind[place] == str(TraceKind.TASK_SCHEDULED):
            since = int(rows.time_ns[place])
            continue
        if since >= 0:
            total += max(0, int(rows.time_ns[place]) - since - switch_ns)
            since = -1
        if rows.kind[place] == str(TraceKind.TASK_SLEPT):
            totals.append(total)
            total = 0
    # The first began before the thread had its first event to do.
    return np.array(totals[1:], np.int64)


def _spawns(rows: Rows, file: RtApp) -> Measured:
    """From the first wakeup of one thread to that of the next."""
    names = [task.name for task in file.tasks]
    # A thread bears its maker's name until it first runs.
    threads = np.unique(rows.tid[np.isin(rows.comm, names)])
    new = rows.of(TraceKind.TASK_WOKE)
    new = new[(rows.reason[new] == str(Reason.WAKEUP_NEW)) & np.isin(rows.tid[new], threads)]
    return Measured(np.diff(rows.time_ns[new]), "intervals between threads made")


def _by_thread(rows: Rows, name: str, *kinds: TraceKind) -> list[I64]:
    """The rows of these kinds of each thread of a name."""
    places = rows.of(*kinds)
    places = places[rows.comm[places] == name]
    return [places[rows.tid[places] == tid] for tid in np.unique(rows.tid[places])]


# -- the step


def parameters_of(cell: str, run: Path, workload: Path, given: dict[str, int]) -> Parameters:
    """A machine's parameters from its calibration cell's folder, those `given` before all others."""
    return with_given(_measured(cell, run, workload), given, GIVEN)


def _measured(cell: str, run: Path, workload: Path) -> Parameters:
    record = _read_status(run / "status.json")
    outcome = Outcome(record["outcome"])
    if outcome is not Outcome.OK or record.get("window_ns") is None:
        return defaults(f"calibration cell {cell} ended {outcome}: {record.get('reason', '')}", {})
    seen = set(read_capability(run / "capability.json").kinds)
    if not {str(TraceKind.TASK_SCHEDULED), str(TraceKind.TASK_WOKE)} <= seen:
        return defaults(f"the tracer of calibration cell {cell} sees no switches and wakeups", {})
    start, end = record["window_ns"]
    events = read_events(run / "events.parquet")
    return calibrate(events, (int(start), int(end)), read_rtapp(workload), cell)


def _read_status(path: Path) -> dict[str, Any]:
    try:
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path}: not a status.json: {error}") from error
    return status


def defaults(why: str, given: dict[str, int]) -> Parameters:
    """Parameters of a machine that has no calibration cell."""
    plain = Parameters(sources=dict.fromkeys(parameter_names(), f"default: {why}"))
    return with_given(plain, given, GIVEN)


def write_parameters(path: Path, machine: str, cell: str, parameters: Parameters) -> None:
    """results/sim/calibration/<machine>.json (docs/contracts.md)."""
    record: dict[str, Any] = parameters_record(parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"schema": 1, "machine": machine, "cell": cell or None, **record})


def main() -> int:
    """Command line of the rule."""
    parser = argparse.ArgumentParser(
        prog="python -m scxval.simulate.calibrate", description=__doc__
    )
    parser.add_argument("--machine", required=True)
    parser.add_argument(
        "--cell", nargs="?", const="", default="", help="the calibration cell's path; none: --why"
    )
    parser.add_argument(
        "--why", nargs="?", const="", default="", help="why there is no calibration cell"
    )
    parser.add_argument("--run", type=Path, nargs="?", help="the calibration cell's folder")
    parser.add_argument("--workload", type=Path, nargs="?", help="its rt-app file")
    parser.add_argument("--given", type=json.loads, default={}, help="parameters to take instead")
    parser.add_argument("--output", type=Path, required=True)
    return run_step(partial(_calibrate, parser.parse_args()))


def _calibrate(args: argparse.Namespace) -> None:
    if args.run is None:
        parameters = defaults(args.why or "no calibration cell", args.given)
    else:
        if args.workload is None:
            raise ScxvalError("--run without --workload: the file that the run was of")
        parameters = parameters_of(args.cell, args.run, args.workload, args.given)
    write_parameters(args.output, args.machine, args.cell, parameters)
    values = asdict(parameters)
    for name in parameter_names():
        print(f"{name} {values[name]}: {values['sources'].get(name, '')}")


if __name__ == "__main__":
    sys.exit(main())
