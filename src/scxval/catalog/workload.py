# SPDX-License-Identifier: MIT
"""A workload's entry: its rt-app file, cgroups and result checked, and what follows from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scxval.catalog.model import Cgroup, Result, Workload
from scxval.catalog.rtapp import RtApp, read_rtapp, simulator_reasons
from scxval.catalog.schema import file_beside
from scxval.errors import ScxvalError, unknown_name

_SETTINGS = ("cpu.weight", "cpu.max")


def workload_values(name: str, body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of a Workload from its entry, after the schema's check; `folder` is its catalogue's.

    Raises ScxvalError for an rt-app file, cgroups or a result that cannot work.
    """
    where = f"{folder / 'workloads.yaml'}: {name}"
    _check_keys(where, body)
    values = dict(body)
    tasks: RtApp | None = None
    if "file" in body:
        values["file"] = path = file_beside(folder, body["file"], where)
        tasks = read_rtapp(path)
        values["cpus"] = tuple(sorted(tasks.cpus))
    if "cgroups" in body:
        values["cgroups"] = tuple(_cgroup(where, group, tasks) for group in body["cgroups"])
        _check_cgroups(where, values["cgroups"], tasks)
    if "result" in body:
        values["result"] = _result(where, body["result"])
    return values


def simulator_refusal(workload: Workload) -> tuple[str, ...]:
    """Why the scx simulator cannot run this workload as the guest does, a reason each; () if it can."""
    if workload.file is None:
        return ("not an rt-app file",)
    reasons = simulator_reasons(read_rtapp(workload.file))
    if workload.cgroups:
        reasons += ("cgroups: not in the rt-app file, and weights are not used there",)
    return reasons


def _check_keys(where: str, body: dict[str, Any]) -> None:
    """The keys that say what is run exclude each other."""
    if body["kind"] == "rt-app" and "argv" in body:
        raise ScxvalError(f"{where}: `argv` is for a command; rt-app is given its `file`")
    if body["kind"] == "command" and "file" in body:
        raise ScxvalError(f"{where}: `file` is for rt-app; a command has `argv`")
    if body["kind"] == "command" and not body.keys() & {"argv", "cgroups"}:
        raise ScxvalError(f"{where}: a command needs `argv`, or `cgroups` with an `argv` each")
    if "argv" in body and "cgroups" in body:
        raise ScxvalError(f"{where}: with `cgroups`, each of them has an `argv`, the workload none")


def _cgroup(where: str, group: dict[str, Any], file: RtApp | None) -> Cgroup:
    part, other = ("argv", "tasks") if file is None else ("tasks", "argv")
    if part not in group or other in group:
        raise ScxvalError(
            f"{where}: cgroup {group['name']!r} needs `{part}` and no `{other}`: the workload is "
            + ("a command" if file is None else "an rt-app file")
        )
    settings = {key: str(group[key]) for key in _SETTINGS if key in group}
    return Cgroup(
        group["name"], settings, tuple(group.get("tasks", ())), tuple(group.get("argv", ()))
    )


def _check_cgroups(where: str, groups: tuple[Cgroup, ...], file: RtApp | None) -> None:
    names = [group.name for group in groups]
    if len(set(names)) < len(names):
        raise ScxvalError(f"{where}: two cgroups of one name among {', '.join(names)}")
    if file is None:
        return
    tasks = {task.name: task for task in file.tasks}
    home: dict[str, str] = {}
    for group in groups:
        for task in group.tasks:
            if task not in tasks:
                raise unknown_name(f"task of cgroup {group.name!r} in {where}:", task, tasks)
            if task in home:
                raise ScxvalError(f"{where}: task {task!r} is in two cgroups")
            home[task] = group.name
    for task in tasks:
        if task not in home:
            raise ScxvalError(f"{where}: task {task!r} is in none of the cgroups")
    # Each cgroup is an rt-app process of its own: a name means something only within it.
    users: dict[str, str] = {}
    for name in home:
        for event in tasks[name].events:
            shared = event.value["ref"] if isinstance(event.value, dict) else event.value
            if not isinstance(shared, str) or not shared or event.kind == "yield":
                continue
            if users.setdefault(shared, home[name]) != home[name]:
                raise ScxvalError(
                    f"{where}: {event.kind} {shared!r} is used in cgroups {users[shared]!r} and "
                    f"{home[name]!r}, which are two rt-app processes and share nothing"
                )


def _result(where: str, body: dict[str, str]) -> Result:
    try:
        groups = re.compile(body["pattern"], re.MULTILINE).groups
    except re.error as error:
        raise ScxvalError(f"{where}: result.pattern: {error}") from error
    if groups != 1:
        raise ScxvalError(f"{where}: result.pattern needs one group, the number; it has {groups}")
    return Result(**body)
