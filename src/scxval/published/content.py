# SPDX-License-Identifier: MIT
"""What of a folder of results a published study holds: records to begin from, and tables and figures to be
made again from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scxval.compare.plan import AGAIN
from scxval.errors import ScxvalError
from scxval.planning import Planned

# Logs and counters are smaller, traces are not; of a trace its event table is published.
MOST_RAW_BYTES = 1 << 17
# Whatever becomes bytes from the same numbers alone. A page has its libraries in it, and Parquet the name of
# its writer: they change with a version and mean the same.
KINDS = (".csv", ".svg")
_MADE = ("compare", "study", "report/tables")
_RECORDS = ("status.json", "provenance.json", "events.parquet", "capability.json")
_PARTS = ("events.parquet", "capability.json")
# Where a file lay on the host that measured, up to the working folder's own names.
_ELSEWHERE = re.compile(rb'/[^",]*/(?=(?:results|resources)/)')


def records(results: Path, planned: Planned) -> dict[str, bytes]:
    """Every file of planned runs and simulations that later stages begin from, by its name below `results`.

    Metrics are none of them: they are made again. Raises ScxvalError for a run that has no table yet.
    """
    found: dict[str, bytes] = {}
    for file in _files(results, planned):
        data = file.read_bytes()
        if file.name == "provenance.json":
            # The only bytes that are not as they were: whose folder it was is nobody's business.
            data = _ELSEWHERE.sub(b"", data)
        found[file.relative_to(results).as_posix()] = data
    return found


def _files(results: Path, planned: Planned) -> Iterator[Path]:
    again = results / Path(AGAIN).relative_to("results")
    for cell in planned.plan.cells:
        yield from _of_run(results / "runs" / cell.path, required=True)
    for simulation in planned.simulations.cells:
        yield from _of_run(results / "sim" / simulation.path, required=True)
        yield from _of_run(again / simulation.path, required=False)
    for machine in sorted({simulation.machine for simulation in planned.simulations.cells}):
        file = results / "sim/calibration" / f"{machine}.json"
        if file.is_file():
            yield file


def _of_run(folder: Path, required: bool) -> Iterator[Path]:
    if not required and not (folder / "status.json").is_file():
        return
    for name in _RECORDS:
        if not (folder / name).is_file():
            raise ScxvalError(f"{folder / name} is missing: finish the sweep, then publish it")
        yield folder / name
    if (folder / "stats.parquet").is_file():
        yield folder / "stats.parquet"
    for part in sorted(folder.glob("parts/*")):
        yield from (part / name for name in _PARTS)
    for file in sorted((folder / "raw").rglob("*")):
        if _is_small(file):
            yield file


def _is_small(file: Path) -> bool:
    hidden = file.name.startswith(".")
    plain = file.is_file() and not file.is_symlink() and not hidden
    return plain and file.stat().st_size <= MOST_RAW_BYTES


def made(results: Path) -> dict[str, Path]:
    """The tables and figures of a folder of results by their names below it."""
    files = (f for top in _MADE for f in sorted((results / top).rglob("*")))
    return {f.relative_to(results).as_posix(): f for f in files if f.suffix in KINDS}
