# SPDX-License-Identifier: MIT
"""Runs one job in a fresh machine and judges how it ended: what cells and probes have in common."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.catalog.model import Machine
from scxval.errors import HarnessError
from scxval.vm.job import JobFiles, write_job
from scxval.vm.launch import MARK, Guest, VmExit, VmSpec, launch
from scxval.vm.launchers import LAUNCHERS, Launcher
from scxval.vm.leftovers import keep_plain_files
from scxval.vm.verdict import Verdict, judge, with_cause, with_memory


@dataclass(frozen=True)
class Run:
    """What a finished run left behind, before it is judged; `boots` counts launches."""

    vm: VmExit
    boots: int
    argv: list[str]
    agent: dict[str, Any] | None
    marks: list[dict[str, Any]]


def run_job(
    job: JobFiles,
    machine: Machine,
    guest: Guest,
    raw: Path,
    limits: tuple[int, int],
    parent: int | None = None,
    cmdline: str = "",
) -> Run:
    """Run a job in a fresh machine; `raw` ends up with all that it wrote. `limits`: boot_s, total_s;
    the machine dies with the process `parent`; `cmdline` is added to the kernel's.

    A guest that hangs before the job's first line has measured nothing: it is launched once more, and
    the first console is kept as console.boot1.log.
    """
    raw.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".job-", dir=raw.parent) as work:
        inputs = Path(work) / "in"
        write_job(job, inputs)
        spec = VmSpec(
            machine,
            guest.absolute(),
            inputs.resolve(),
            raw.resolve(),
            Path(work).resolve(),
            cmdline,
        )
        launcher = LAUNCHERS[machine.launcher]
        spec = launcher.prepare(spec)
        argv = launcher.argv(spec)
        boots = 1
        try:
            vm = _launch_safely(launcher, argv, spec, limits, parent)
            if vm.timed_out and vm.boot_s is None and launcher.boots:
                boots = 2
                (raw / "console.log").rename(raw / "console.boot1.log")
                vm = _launch_safely(launcher, argv, spec, limits, parent)
        finally:
            launcher.clean_up(spec)
        for name in ("job.json", *job.texts):
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(inputs / name, raw / name)
    return Run(vm, boots, argv, _read_agent(raw), _read_marks(raw))


def _launch_safely(
    launcher: Launcher, argv: list[str], spec: VmSpec, limits: tuple[int, int], parent: int | None
) -> VmExit:
    """Launch with the output folder closed to other users of this host, and clean it afterwards."""
    spec.out.chmod(0o700)
    launcher.before_start(spec)
    try:
        return launch(argv, spec.out, *limits, parent)
    finally:
        removed = keep_plain_files(spec.out)
        if removed:
            with (spec.out / "vm.log").open("a", encoding="utf-8") as log:
                log.writelines(f"{line}\n" for line in removed)
        spec.out.chmod(0o755)


def _read_agent(raw: Path) -> dict[str, Any] | None:
    path = raw / "agent.json"
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "agent_error" in result:
        raise HarnessError(f"the in-guest agent failed:\n{result['agent_error']}")
    return result


def _read_marks(raw: Path) -> list[dict[str, Any]]:
    """The agent's marks; a guest that died while writing leaves a partial last line.

    An icount guest writes nothing but its console until the end: one mark is there.
    """
    marks = []
    text = _text(raw / "agent.jsonl") or _text(raw / "console.log")
    lines = [line for line in text.splitlines() if line.startswith(MARK)]
    for line in lines:
        try:
            marks.append(json.loads(line))
        except ValueError:
            break
    return marks


def judge_run(run: Run, raw: Path, lost_events_allowed: int, limits: tuple[int, int]) -> Verdict:
    """The verdict on a finished run."""
    labels = [str(mark["mark"]) for mark in run.marks]
    console = _text(raw / "console.log")
    verdict = judge(run.vm, run.agent, console, labels, lost_events_allowed, limits)
    dmesg = _text(raw / "dmesg.log")
    verdict = with_cause(verdict, _text(raw / "scheduler.log"), dmesg)
    return with_memory(verdict, f"{dmesg}\n{console}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
