# SPDX-License-Identifier: MIT
"""One tracer of a job: started, ready by its own sign, stopped by one signal; and the record of them all.

Loaded only by jobs with a tracer. What a tracer is, is told by job.json alone.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scxval.agent.procs import Child, Stop, in_folders, read_growing, start, wait_until

LOG = "tracer.log"
# A ready sign stands in the first so many bytes of its file.
SIGN_BYTES = 1 << 20


class Tracing:
    """A tracer by its entry in job.json.

    Of several, each has a folder of its own in the job's folders, and `suffix` (.NAME) tells its marks
    apart; for one alone both are empty.
    """

    def __init__(self, spec: dict[str, Any], inputs: Path, out: Path, raw: Path) -> None:
        own = spec["folder"]
        self.spec = spec
        self.folders = {"{in}": inputs / own, "{out}": out / own, "{raw}": raw / own}
        self.suffix = f".{spec['name']}" if own else ""
        self.log = f"{own}{LOG}"
        self.argv = [in_folders(arg, self.folders) for arg in spec["argv"]]
        self.child: Child | None = None
        self.ready = False
        self.lost: int | None = None

    @property
    def label(self) -> str:
        """The tracer's name in the catalogue, and its program where that is another."""
        name, program = str(self.spec["name"]), self.argv[0]
        return name if Path(program).name == name else f"{name} ({program})"

    def failed(self, why: str) -> Stop:
        """What stops a job whose tracer failed."""
        return Stop("tracer_failed", f"{self.label} {why}", self.log)

    def start(self, place: dict[str, Any], limit_s: float) -> Child:
        """Start it and wait until it is ready. Raises Stop when it is not in time, or ends."""
        for name in ("{out}", "{raw}"):
            self.folders[name].mkdir(parents=True, exist_ok=True)
        log = self.folders["{out}"] / LOG
        self.child = child = start("tracer_failed", self.argv, log, self.spec["env"], **place)
        wait_until(lambda: self.signed() or child.exit_code is not None, limit_s)
        if child.exit_code is not None:
            raise self.failed(f"ended with exit code {child.exit_code} before it was ready")
        if not self.signed():
            raise self.failed(f"was not ready after {limit_s} s")
        self.ready = True
        return child

    def signed(self) -> bool:
        """Whether it has given its sign of being ready."""
        pattern = re.compile(self.spec["ready_pattern"].encode(), re.MULTILINE)
        try:
            text = read_growing(Path(in_folders(self.spec["ready_file"], self.folders)))
        except OSError:
            return False
        return pattern.search(text[:SIGN_BYTES]) is not None

    def stop(self, limit_s: float) -> Stop | None:
        """One signal; what is wrong unless it was alive until then and ended cleanly."""
        if self.child is None:
            return None
        died = self.child.exit_code
        sign = signal.Signals[self.spec["stop_signal"]]
        asked_s = time.monotonic()
        code = self.child.stop(sign, limit_s)
        self.lost = self.lost_events()
        if died is None and code is not None and code < 0 and code != -sign:
            if time.monotonic() - asked_s > limit_s:
                return self.failed(f"had not ended {limit_s} s after {sign.name}, and was killed")
            # One that was killed under the workload may still have been on its way out.
            died = code
        if died is not None:
            return self.failed(f"died with exit code {died} while the workload ran")
        well = code in self.spec["exit_codes"]
        return None if well else self.failed(f"ended with exit code {code} after {sign.name}")

    def lost_events(self) -> int | None:
        """Sum of what the tracer itself says it lost, in its log and its outputs; None: it never says."""
        if not self.spec["lost_pattern"]:
            return None
        pattern = re.compile(self.spec["lost_pattern"].encode(), re.MULTILINE)
        log = read_growing(self.folders["{out}"] / LOG)
        total = sum(int(match[1]) for match in pattern.finditer(log))
        for file in (Path(in_folders(name, self.folders)) for name in self.spec["outputs"]):
            if file.exists():
                with file.open("rb") as lines:
                    total += sum(int(m[1]) for line in lines for m in pattern.finditer(line))
        return total


def record_of(specs: Sequence[dict[str, Any]], started: Sequence[Tracing]) -> dict[str, Any]:
    """`tracer` of docs/contracts.md: over all of them, and of each where there are several."""
    found = {part.spec["name"]: part for part in started}
    parts = {
        spec["name"]: {
            "ready": part.ready if part else False,
            "lost": part.lost if part else None,
            "exit_code": part.child.exit_code if part and part.child else None,
        }
        for spec in specs
        for part in [found.get(spec["name"])]
    }
    lost = [part["lost"] for part in parts.values() if part["lost"] is not None]
    whole = {
        "ready": all(part["ready"] for part in parts.values()),
        "lost": sum(lost) if lost else None,
    }
    return {**whole, "parts": parts} if len(specs) > 1 else whole
