# SPDX-License-Identifier: MIT
"""What a user may name for a comparison: a cell, a simulation, a folder of one, an event table or a trace."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.events.capability import read_capability
from scxval.events.table import is_events
from scxval.files import read_record, write_json
from scxval.tracers.outside import (
    CAPABILITY_FILE,
    EVENTS_FILE,
    Outputs,
    convert_outside,
    find_trace,
)

STATUS_FILE = "status.json"
# Below a cell without its repetition, or a simulation without its seed.
_RUN = re.compile(r"(rep|seed)(\d+)")


@dataclass(frozen=True)
class Named:
    """One side: `name` as it is shown, the folders of its runs, and of which workload they are, if one
    says. `simulated`: they are simulations.
    """

    name: str
    runs: tuple[Path, ...]
    workload: str = ""
    simulated: bool = False


def named(given: str, roots: Sequence[Path], scratch: Path) -> Named:
    """The runs that a user means by a path, which may be below one of `roots` (results/runs, results/sim).

    A file is made a folder of a run in `scratch`. Raises ScxvalError when there is no such thing.
    """
    for path in [Path(given), *(root / given.strip("/") for root in roots)]:
        if path.is_dir():
            found = _runs(path)
            return _of_runs(given, found) if found else _of_file(given, find_trace(path), scratch)
        if path.is_file():
            # The table of a run that has all else beside it.
            if path.name == EVENTS_FILE and (path.parent / STATUS_FILE).is_file():
                return _of_runs(given, [path.parent])
            return _of_file(given, path, scratch)
    places = " or ".join(str(root) for root in roots)
    raise ScxvalError(
        f"nothing to compare at {given!r}: neither a file, nor a folder of runs, nor a cell below {places} "
        "(scheduler/workload/tracer/isolation/machine, with or without rep<k>)"
    )


def _of_file(given: str, path: Path, scratch: Path) -> Named:
    return Named(given, (_bare(path, scratch),))


def _runs(path: Path) -> list[Path]:
    """A folder that is a run, or those of its repetitions or seeds, in their order."""
    if (path / STATUS_FILE).is_file():
        return [path]
    below = ((_RUN.fullmatch(child.name), child) for child in path.iterdir())
    numbered = [(int(match[2]), child) for match, child in below if match]
    return [child for _, child in sorted(numbered) if (child / STATUS_FILE).is_file()]


def _of_runs(given: str, runs: list[Path]) -> Named:
    records = [read_record(run / STATUS_FILE, STATUS_FILE) for run in runs]
    about = [record.get("cell") or record.get("simulation") or {} for record in records]
    workloads = {str(item.get("workload", "")) for item in about if isinstance(item, dict)}
    simulated = ["simulation" in record for record in records]
    if any(simulated) and not all(simulated):
        raise ScxvalError(f"{given}: runs and simulations in one folder: name one of them")
    return Named(
        given.strip("/"),
        tuple(runs),
        workload=workloads.pop() if len(workloads) == 1 else "",
        simulated=all(simulated),
    )


def _bare(path: Path, scratch: Path) -> Path:
    """A folder like a run's, of an event table with its capability beside it, or of a trace."""
    scratch.mkdir(parents=True)
    events, capability = scratch / EVENTS_FILE, scratch / CAPABILITY_FILE
    if is_events(path):
        beside = _capability_beside(path)
        shutil.copyfile(path, events)
        shutil.copyfile(beside, capability)
    else:
        convert_outside(path, Outputs(events, capability))
    try:
        window = read_capability(capability).window_ns
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: its capability.json cannot be read: {error!r}") from error
    if window is None:
        raise ScxvalError(f"{path}: no events in it: nothing to compare")
    status = {"schema": 1, "outcome": "ok", "reason": "", "window_ns": list(window)}
    write_json(scratch / STATUS_FILE, status)
    return scratch


def _capability_beside(path: Path) -> Path:
    """capability.json as a run has it, or the name that `scxval convert` gives one beside a trace."""
    names: Iterable[str] = (
        CAPABILITY_FILE,
        path.name.replace(EVENTS_FILE, CAPABILITY_FILE),
        f"{path.name}.{CAPABILITY_FILE}",
    )
    for name in names:
        if name != path.name and (path.parent / name).is_file():
            return path.parent / name
    raise ScxvalError(
        f"{path}: an event table needs its {CAPABILITY_FILE} beside it, which says what its source could see"
    )
