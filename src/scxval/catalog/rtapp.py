# SPDX-License-Identifier: MIT
"""rt-app files: read, checked against what rt-app 1.0 does with them, and judged for the simulator.

rt-app ignores a key that it does not know, runs nothing for an event whose value it does not
understand, and says neither in its exit code. So everything is checked here, before a guest boots.
"What rt-app 1.0 does" is its src/rt-app_parse_config.c and src/rt-app.c at v1.0, which Debian ships,
and was tried in a guest.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError, unknown_name

# TASK_COMM_LEN - 1 (include/linux/sched.h); pthread_setname_np refuses more with ERANGE.
COMM_BYTES = 15
# CPU_SETSIZE of glibc, the mask that rt-app uses.
MAX_CPUS = 1024
# The folder that the agent makes and takes home (scxval.agent.job).
LOGDIR = "/run/scxval/raw/workload"
POLICIES = ("SCHED_OTHER", "SCHED_RR", "SCHED_FIFO", "SCHED_DEADLINE")

_Check = Callable[[Any], str]


@dataclass(frozen=True)
class Event:
    """One event of a phase: its key as written, its kind (`run` for `run0`), its value."""

    key: str
    kind: str
    value: Any


@dataclass(frozen=True)
class Phase:
    """Events in their order, repeated `loop` times; -1 is for ever."""

    name: str
    loop: int
    events: tuple[Event, ...]
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Task:
    """A thread, or `instance` of them. `keys` are the task's own settings."""

    name: str
    phases: tuple[Phase, ...]
    keys: dict[str, Any]

    @property
    def instances(self) -> int:
        """How many threads it is."""
        count: int = self.keys.get("instance", 1)
        return count

    @property
    def events(self) -> Iterator[Event]:
        """The events of all phases."""
        return (event for phase in self.phases for event in phase.events)


@dataclass(frozen=True)
class RtApp:
    """A checked rt-app file. `settings` is its `global` section."""

    settings: dict[str, Any]
    tasks: tuple[Task, ...]

    @property
    def cpus(self) -> frozenset[int]:
        """Every CPU that a task or phase is bound to."""
        of_tasks = {cpu for task in self.tasks for cpu in task.keys.get("cpus", ())}
        return frozenset(of_tasks.union(*(p.cpus for t in self.tasks for p in t.phases)))


def read_json(path: Path) -> dict[str, Any]:
    """The raw contents of an rt-app file, block comments allowed. Raises ScxvalError.

    A key that stands twice in one object is refused: rt-app and the simulator take the last one and
    drop the other without a word.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScxvalError(f"cannot read workload {path}: {error.strerror}") from error
    try:
        data = json.loads(_without_comments(text), object_pairs_hook=_unique)
    except ValueError as error:
        raise ScxvalError(f"{path}: not an rt-app file: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("tasks"), dict) or not data["tasks"]:
        raise ScxvalError(f"{path}: not an rt-app file: no `tasks`")
    return data


def read_rtapp(path: Path) -> RtApp:
    """Read and check an rt-app file; ScxvalError names file, task and key of the first fault."""
    data = read_json(path)
    _known(f"section of {path}:", data, ("global", "tasks", "resources"))
    settings = data.get("global")
    if not isinstance(settings, dict):
        raise ScxvalError(f"{path}: no `global`: without `duration` rt-app never ends")
    where = f"{path}: global"
    _known(f"key in {where}:", settings, GLOBAL_KEYS)
    _values(where, settings, GLOBAL_KEYS)
    for key, why in REQUIRED.items():
        if key not in settings:
            raise ScxvalError(f"{where}: no `{key}`; {why}")
    policy = settings.get("default_policy", POLICIES[0])
    tasks = tuple(_task(path, name, body, policy) for name, body in data["tasks"].items())
    _check_wakers(path, tasks)
    return RtApp(settings, tasks)


def simulator_reasons(file: RtApp) -> tuple[str, ...]:
    """Why the scx simulator would not run this file as rt-app does, one reason a key; () if it would.

    The common subset: run, sleep, suspend, resume, yield, priority, cpus of a task, loop, one instance.
    The simulator accepts more, and does something else with it.
    """
    found: dict[str, list[str]] = defaultdict(list)
    if file.settings.get("default_policy", POLICIES[0]) != POLICIES[0]:
        found["default_policy: ignored there, every task is SCHED_OTHER"].append("global")
    for task in file.tasks:
        for key in task.keys:
            if key in NOT_SIMULATED_KEYS:
                found[f"{key}: {NOT_SIMULATED_KEYS[key]}"].append(task.name)
        if task.instances != 1:
            found["instance: more than one bears other names there"].append(task.name)
        if any(phase.cpus for phase in task.phases):
            found["cpus of a phase: ignored there"].append(task.name)
        for event in task.events:
            if event.kind in NOT_SIMULATED:
                found[f"{event.kind}: {NOT_SIMULATED[event.kind]}"].append(task.name)
            elif event.kind == "suspend" and event.value != task.name:
                reason = "suspend on another name than the task's own: that name is ignored there"
                found[reason].append(task.name)
    return tuple(f"{reason} ({', '.join(dict.fromkeys(names))})" for reason, names in found.items())


# -- values


def _integer(low: int, high: int | None = None) -> _Check:
    wanted = f"an integer of {low} or more" if high is None else f"an integer of {low} to {high}"

    def check(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= low
        return "" if good and (high is None or value <= high) else wanted

    return check


def _of(kind: type, wanted: str) -> _Check:
    return lambda value: "" if isinstance(value, kind) and value != "" else wanted


def _choice(*allowed: str) -> _Check:
    return lambda value: "" if value in allowed else f"one of {', '.join(allowed)}"


def _loop(value: Any) -> str:
    # The count is compared after each pass: 0 is never met and means for ever, unlike in the simulator.
    return "" if value == -1 or not _integer(1)(value) else "-1 (for ever) or a count of 1 or more"


def _log_size(value: Any) -> str:
    # The comparisons of rt-app 1.0 are the wrong way round (strcmp without == 0).
    wanted = (
        "an integer (MB of buffer a thread), or left out to write logs as it goes: rt-app 1.0 takes "
        "strings the wrong way round (`file` writes no log, `disable` does)"
    )
    return wanted if _integer(1)(value) else ""


def _calibration(value: Any) -> str:
    if not _integer(1)(value):
        return ""
    return "an integer (ns a loop): a CPU's name makes every run calibrate itself anew, for seconds"


def _cpus(value: Any) -> str:
    cpu = _integer(0, MAX_CPUS - 1)
    good = isinstance(value, list) and value and not any(cpu(item) for item in value)
    return "" if good else f"a list of CPU numbers, each 0 to {MAX_CPUS - 1}"


def _record(**keys: _Check) -> _Check:
    """An object with these keys, all but `mode` required."""

    def check(value: Any) -> str:
        wanted = f"an object with {', '.join(keys)}"
        if (
            not isinstance(value, dict)
            or set(value) - set(keys)
            or set(keys) - set(value) - {"mode"}
        ):
            return wanted
        wrong = ((key, keys[key](item)) for key, item in value.items())
        return next((f"{wanted}, where {key} is {must}" for key, must in wrong if must), "")

    return check


_BOOL = _of(bool, "true or false (a string makes rt-app end at once)")
_TEXT = _of(str, "a string")
_NAME = _of(str, "a name")
_USEC = _integer(0)

GLOBAL_KEYS: dict[str, _Check] = {
    "duration": _integer(1),
    "calibration": _calibration,
    "logdir": _choice(LOGDIR),
    "default_policy": _choice(*POLICIES),
    "log_basename": _TEXT,
    "log_size": _log_size,
    "gnuplot": _BOOL,
    "ftrace": _BOOL,
    "lock_pages": _BOOL,
    "pi_enabled": _BOOL,
    "cumulative_slack": _BOOL,
    "io_device": _TEXT,
    "mem_buffer_size": _integer(1),
}
REQUIRED = {
    "duration": "give whole seconds: without it rt-app never ends",
    "calibration": "give an integer (ns a loop): without it every run calibrates itself anew",
    "logdir": f"give {LOGDIR}, which is what comes home from the guest",
}
PHASE_KEYS: dict[str, _Check] = {"loop": _loop, "cpus": _cpus}
TASK_KEYS: dict[str, _Check] = {
    **PHASE_KEYS,
    "policy": _choice(*POLICIES),
    "priority": _integer(-20, 99),
    "instance": _integer(1),
    "delay": _USEC,
    "phases": _of(dict, "an object"),
    "dl-runtime": _USEC,
    "dl-period": _USEC,
    "dl-deadline": _USEC,
}
# By rt-app's own order of comparison: a key is the first of these that it begins with.
EVENTS: dict[str, _Check] = {
    "lock": _NAME,
    "unlock": _NAME,
    "wait": _record(ref=_NAME, mutex=_NAME),
    "signal": _NAME,
    "broad": _NAME,
    "sync": _record(ref=_NAME, mutex=_NAME),
    "sleep": _USEC,
    "runtime": _USEC,
    "run": _USEC,
    "timer": _record(ref=_NAME, period=_integer(1), mode=_choice("relative", "absolute")),
    "suspend": _NAME,
    "resume": _NAME,
    "mem": _USEC,
    "iorun": _USEC,
    "yield": lambda _: "",
    "barrier": _NAME,
}
NOT_SIMULATED = {
    "timer": "a plain sleep of the whole period there, however long the run before it was",
    "runtime": "wall time here, CPU time there",
    "iorun": "other devices and sizes there",
    **dict.fromkeys(
        ("lock", "unlock", "wait", "signal", "broad", "sync", "mem", "barrier"), "skipped there"
    ),
}
NOT_SIMULATED_KEYS = {
    "delay": "ignored there, every task starts at 0",
    "policy": "ignored there, every task is SCHED_OTHER",
    **dict.fromkeys(("dl-runtime", "dl-period", "dl-deadline"), "ignored there"),
}

# Newer rt-app and the simulator know these; told apart from a slip of the pen.
_LATER = {
    "taskgroup": "put the tasks into `cgroups` of the catalogue entry",
    "fork": "it has no event that starts a task",
    "util_min": "it has no utilisation clamps",
    "util_max": "it has no utilisation clamps",
    "nodes_membind": "it cannot bind memory to nodes",
}


# -- structure


def _without_comments(text: str) -> str:
    """Block comments made blank, so that an error's line and column stay right."""
    return re.sub(
        r'"(?:\\.|[^"\\])*"|/\*.*?\*/',
        lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]),
        text,
        flags=re.DOTALL,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(
                f"key {key!r} twice in one object, of which only the last counts; "
                f"number them ({key}0, {key}1)"
            )
        found[key] = value
    return found


def _known(what: str, mapping: dict[str, Any], allowed: Any) -> None:
    for key in mapping:
        if key not in allowed:
            raise unknown_name(what, key, allowed)


def _values(where: str, mapping: dict[str, Any], checks: dict[str, _Check]) -> None:
    for key, value in mapping.items():
        if key in checks and (wanted := checks[key](value)):
            raise ScxvalError(f"{where}: `{key}` must be {wanted}, not {json.dumps(value)}")


def _kind(key: str) -> str:
    return next((kind for kind in EVENTS if key.startswith(kind)), "")


def _task(path: Path, name: str, body: Any, default_policy: str) -> Task:
    where = f"{path}: task {name!r}"
    if not isinstance(body, dict):
        raise ScxvalError(f"{where}: must be an object, not {json.dumps(body)}")
    check_comm(path, name)
    if not name or "/" in name:
        raise ScxvalError(
            f"{where}: a name is part of the log's file name: not empty and without /"
        )
    keys = {key: value for key, value in body.items() if not _kind(key)}
    _refuse_unknown(f"key in {where}:", where, keys, TASK_KEYS)
    _values(where, keys, TASK_KEYS)
    _check_priority(where, keys, keys.get("policy", default_policy))
    if "phases" not in keys:
        if keys.get("loop", -1) != -1:
            raise ScxvalError(
                f"{where}: `loop` {keys['loop']} without `phases` does not end the task in rt-app 1.0 "
                "(it does in the simulator); write -1, or put the events into a phase of `phases`"
            )
        events = {key: value for key, value in body.items() if _kind(key)}
        return Task(name, (_phase(where, "", {**events, "loop": -1}),), keys)
    for key in body:
        if _kind(key):
            raise ScxvalError(f"{where}: `{key}` beside `phases` is never run; put it into a phase")
    phases = [
        _phase(f"{where}: phase {phase!r}", phase, events)
        for phase, events in keys["phases"].items()
    ]
    if not phases:
        raise ScxvalError(f"{where}: `phases` is empty")
    endless = next((phase for phase in phases[:-1] if phase.loop == -1), None)
    if endless:
        raise ScxvalError(f"{where}: phase {endless.name!r} loops for ever: the next is never run")
    return Task(name, tuple(phases), keys)


def check_comm(path: Path, name: str) -> None:
    """Refuse a task's name that its thread cannot bear; raises ScxvalError."""
    if len(name.encode()) > COMM_BYTES:
        raise ScxvalError(
            f"{path}: task {name!r} has more than {COMM_BYTES} bytes, so that its thread keeps "
            "the name rt-app; shorten it"
        )


def _phase(where: str, name: str, body: Any) -> Phase:
    if not isinstance(body, dict):
        raise ScxvalError(f"{where}: must be an object, not {json.dumps(body)}")
    keys = {key: value for key, value in body.items() if not _kind(key)}
    _refuse_unknown(f"key in {where}:", where, keys, PHASE_KEYS)
    _values(where, keys, PHASE_KEYS)
    events = tuple(Event(key, _kind(key), body[key]) for key in body if _kind(key))
    for event in events:
        _values(where, {event.key: event.value}, {event.key: EVENTS[event.kind]})
    if not events:
        raise ScxvalError(f"{where}: no events, such as `run` and `sleep`")
    return Phase(name, keys.get("loop", 1), events, tuple(keys.get("cpus", ())))


def _refuse_unknown(what: str, where: str, keys: dict[str, Any], own: dict[str, _Check]) -> None:
    for key in keys:
        if key in _LATER:
            raise ScxvalError(f"{where}: rt-app 1.0 ignores `{key}`: {_LATER[key]}")
    _known(what, keys, {**own, **EVENTS})


def _check_priority(where: str, keys: dict[str, Any], policy: str) -> None:
    priority = keys.get("priority")
    if priority is None:
        return
    low, high = (-20, 19) if policy == POLICIES[0] else (1, 99)
    if not low <= priority <= high:
        raise ScxvalError(
            f"{where}: `priority` must be {low} to {high} for {policy}, not {priority}"
        )


def _check_wakers(path: Path, tasks: tuple[Task, ...]) -> None:
    """Each name that is resumed is suspended on somewhere, and the other way round."""
    names: dict[str, dict[str, str]] = {"suspend": {}, "resume": {}}
    for task in tasks:
        for event in task.events:
            if event.kind in names:
                names[event.kind].setdefault(event.value, task.name)
    for one, other in (("resume", "suspend"), ("suspend", "resume")):
        for name, user in names[one].items():
            if not names[other]:
                raise ScxvalError(
                    f"{path}: task {user!r}: {one} {name!r}, but no task has a `{other}`"
                )
            if name not in names[other]:
                what = f"{one} of task {user!r} in {path}, which no task has a `{other}` for:"
                raise unknown_name(what, name, names[other])
