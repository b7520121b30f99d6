# SPDX-License-Identifier: MIT
"""What every bench measures with: best seconds, a conversion in a process of its own, bounds.

Time is CPU time where a process is measured, on one core: on a shared machine the wall clock tells of
the neighbours. `python bench/measure.py FILE` is that process: it converts FILE and prints one line
of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"
LIMIT_S = 900


@dataclass(frozen=True)
class Conversion:
    """One conversion of a file by a process on one core.

    `convert_s` is CPU time from path to table and capability, `write_s` that of writing both files,
    `process_s` that of the whole process with its imports. `peak_bytes` is the process's largest
    resident memory (VmHWM), `base_bytes` what it held before it opened the file.
    """

    source: str
    events: int
    convert_s: float
    write_s: float
    process_s: float
    peak_bytes: int
    base_bytes: int

    @property
    def events_per_s(self) -> float:
        """Events a second of CPU time, from path to table."""
        return self.events / self.convert_s

    @property
    def bytes_per_event(self) -> float:
        """Memory that the conversion took, an event of the table."""
        return (self.peak_bytes - self.base_bytes) / max(1, self.events)


def best_s(work: Callable[[], object], repeats: int = 3) -> float:
    """The least CPU seconds of some runs of this in this process."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def convert(file: Path, repeats: int = 1, compiled: bool = False) -> Conversion:
    """The quickest of some conversions, each by a new process on one core.

    Loops that are compiled when first used are compiled by an extra run, which does not count, unless
    they are `compiled`. Raises SystemExit when the file cannot be converted.
    """
    runs = [_convert_once(file) for _ in range(repeats + (not compiled))][not compiled :]
    return min(runs, key=lambda run: run.convert_s)


def _convert_once(file: Path) -> Conversion:
    done = subprocess.run(
        [sys.executable, __file__, str(file)],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    if done.returncode:
        raise SystemExit(f"conversion of {file} ended with {done.returncode}: {done.stderr}")
    return Conversion(**json.loads(done.stdout))


def one_core() -> None:
    """Keep this process, and what it starts, on the last core that it may use."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@dataclass
class Bounds:
    """Bounds that a bench states: each is printed, and `end` ends the bench by whether all held."""

    broken: list[str] = field(default_factory=list)

    def at_least(self, what: str, value: float, bound: float, unit: str = "") -> None:
        """State that a value is not below a bound."""
        self._say(what, value, ">=", bound, unit, value >= bound)

    def at_most(self, what: str, value: float, bound: float, unit: str = "") -> None:
        """State that a value is not above a bound."""
        self._say(what, value, "<=", bound, unit, value <= bound)

    def holds(self, what: str, held: bool) -> None:
        """State something that holds or does not."""
        print(f"{'holds ' if held else 'BROKEN'}  {what}")
        if not held:
            self.broken.append(what)

    def _say(self, what: str, value: float, sign: str, bound: float, unit: str, held: bool) -> None:
        self.holds(f"{what}: {value:,.4g} {unit}".rstrip() + f" (bound {sign} {bound:,g})", held)

    def end(self) -> int:
        """0 when all bounds held, else 1: the exit status of the bench."""
        if self.broken:
            print(f"{len(self.broken)} bounds do not hold", file=sys.stderr)
        return int(bool(self.broken))


def resident_bytes(key: str) -> int:
    """This process's memory by /proc/self/status: VmRSS now, VmHWM the most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _main(file: Path) -> None:
    one_core()
    from scxval.events.table import write_events
    from scxval.tracers.convert import converters, recognise

    name = recognise(file)
    module = converters()[name]
    base, start = resident_bytes("VmRSS"), _cpu_s()
    result = module.convert(file)
    made = _cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        write_events(result.table, Path(folder) / "events.parquet")
        result.capability.write(Path(folder) / "capability.json")
    done = Conversion(
        source=name,
        events=result.table.num_rows,
        convert_s=made - start,
        write_s=_cpu_s() - made,
        process_s=_cpu_s(),
        peak_bytes=resident_bytes("VmHWM"),
        base_bytes=base,
    )
    print(json.dumps(done.__dict__))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
