# SPDX-License-Identifier: MIT
"""One job, start to end: isolation, scheduler, tracers, workload, and back, every wait with a limit.

Order matters: the scheduler is attached before any tracer, because a tracer's programs on sched_ext
kfuncs can make struct_ops refuse to attach. A run whose scheduler was not the same enabled instance
before and after the workload never counts as that scheduler's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from scxval.agent import counters, cpus
from scxval.agent.clocks import Marks
from scxval.agent.procs import Child, Stop, first_line, in_folders, start
from scxval.agent.scx import ScxState, await_enabled, lost, read_events, read_state, read_text

# A memory file system with less than this left has been written full.
FULL_BYTES = 1 << 16


class Job:
    """Runs one job.json; `result` is filled as it goes and is what the host reads."""

    def __init__(self, spec: dict[str, Any], inputs: Path, out: Path, raw: Path) -> None:
        self.spec = spec
        self.inputs = inputs
        self.out = out
        self.raw = raw
        self.marks = Marks(out / "agent.jsonl")
        self.scheduler: Child | None = None
        # scxval.agent.tracing.Tracing of each that was started, in that order.
        self.tracers: list[Any] = []
        # One process, or one for each of its cgroups.
        self.workload: list[Child] = []
        self.enabled: ScxState | None = None
        self.partition: Any = None
        self.result: dict[str, Any] = {
            "outcome": "ok",
            "reason": "",
            "log": "",
            "scheduler": {"before": None, "after": None, "end": None},
            "tracer": {"ready": False, "lost": None},
        }

    def run(self) -> dict[str, Any]:
        """Do the job and undo it; the result says how it ended."""
        self.marks.take("job-start")
        self.result["guest"] = guest_facts()
        try:
            self.check_topology()
            self.isolate()
            self.start_scheduler()
            self.start_tracers()
            self.run_workload()
        except Stop as stop:
            self.fail(stop)
        finally:
            self.wind_down()
        self.marks.take("job-end")
        self.result["marks"] = self.marks.taken
        return self.result

    def fail(self, stop: Stop) -> None:
        """Keep the first trouble: what follows is usually its consequence."""
        if self.result["outcome"] == "ok":
            self.result.update(outcome=stop.outcome, reason=stop.reason, log=stop.log)

    def path(self, text: str) -> str:
        """Put the guest's folders into an argument."""
        return in_folders(text, {"{in}": self.inputs, "{out}": self.out, "{raw}": self.raw})

    # -- the machine

    def check_topology(self) -> None:
        """The machine must have the caches and threads that its entry names, where it names any."""
        asked = self.spec.get("topology")
        if asked is None:
            return
        seen = self.result["guest"]["topology"]
        threads = {len(cpus.parse_list(core)) for core in seen["cores"]}
        if len(seen["llcs"]) != asked["llcs"] or threads != {asked["threads"]}:
            raise Stop(
                "unsupported",
                f"the machine has last-level caches of CPUs {seen['llcs']} and cores of CPUs "
                f"{seen['cores']}; asked for: {asked['llcs']} caches, {asked['threads']} threads a core",
                "dmesg.log",
            )

    def isolate(self) -> None:
        """Set the tracer's CPUs apart, and record which CPUs the scheduler sees."""
        spec = self.spec["isolation"]
        root = cpus.cgroup_root()
        if spec.get("kind") == "cpuset":
            # Loaded only here, as few jobs need it.
            from scxval.agent.cpuset import Partition

            if root is None:
                raise Stop("unsupported", "isolation cpuset: cgroup v2 is not mounted", "dmesg.log")
            self.partition = Partition(spec["tracer_cpus"], root)
            self.demand_partition(self.partition.make())
        everyone = cpus.online()
        alone = cpus.isolated(groups=root)
        # sched_ext knows no domains: it schedules every CPU that is online.
        domain = [cpu for cpu in everyone if cpu not in alone]
        self.result["cpus"] = {
            "online": everyone,
            "isolated": alone,
            "seen_by_scheduler": everyone if self.spec["scheduler"] else domain,
            "affinity": {},
        }

    def demand_partition(self, problem: str) -> None:
        """Stop when the tracer's partition does not hold."""
        if problem:
            raise Stop(
                "unsupported",
                f"the kernel does not keep the tracer's CPUs apart as a cpuset partition: {problem}",
                "dmesg.log",
            )

    def place(self, who: str) -> dict[str, Any]:
        """How a child of the job is bound: by its group, by affinity, or not at all."""
        if self.partition is None:
            return {"cpus": self.spec["isolation"][f"{who}_cpus"]}
        return {"cgroup": self.partition.folder} if who == "tracer" else {}

    def check_place(self, who: str, child: Child, suffix: str = "") -> None:
        """Record the CPUs that a child may really use; the partition must keep to its side of them.

        `suffix` tells several of a kind apart in the record.
        """
        allowed = child.allowed_cpus()
        self.result["cpus"]["affinity"][f"{who}{suffix}"] = allowed
        if self.partition is None or allowed is None:
            return
        own = self.spec["isolation"]["tracer_cpus"]
        if any((cpu in own) != (who == "tracer") for cpu in allowed):
            raise Stop(
                "unsupported",
                f"the {who} may run on CPUs {allowed} beside a cpuset partition of CPUs {own}",
                "dmesg.log",
            )

    # -- scheduler

    def start_scheduler(self) -> None:
        """Start the scheduler and wait until the kernel says that it is enabled."""
        spec = self.spec["scheduler"]
        before = read_state()
        if spec is None:
            self.result["scheduler"]["before"] = before.as_dict()
            return
        self.marks.take("scheduler-start")
        argv = [self.path(arg) for arg in spec["argv"]]
        log = self.out / "scheduler.log"
        self.scheduler = child = start("scheduler_rejected", argv, log)
        limit_s = self.spec["limits"]["attach_s"]
        state, trouble = await_enabled(child, spec["ops"], before, limit_s)
        self.result["scheduler"]["before"] = state.as_dict()
        if trouble:
            raise trouble
        self.enabled = state
        self.check_place("scheduler", child)
        self.marks.take("scheduler-enabled")

    def check_scheduler(self) -> None:
        """The same instance must still be enabled once the workload has ended."""
        after = read_state()
        self.result["scheduler"]["after"] = after.as_dict()
        if self.scheduler is None or self.enabled is None:
            if after.state == "enabled":
                raise Stop(
                    "scheduler_rejected",
                    f"the kernel's own scheduler was asked for, but {after.ops!r} is enabled",
                    "dmesg.log",
                )
            return
        trouble = lost(self.scheduler, self.enabled, after)
        if trouble:
            raise trouble

    # -- tracers

    def start_tracers(self) -> None:
        """Start each tracer and wait for its own sign that it is ready, one after the other."""
        for spec in self.spec["tracers"]:
            # Loaded only here: every import costs an emulated guest time.
            from scxval.agent.tracing import Tracing

            part = Tracing(spec, self.inputs, self.out, self.raw)
            self.tracers.append(part)
            self.marks.take(f"tracer-start{part.suffix}")
            child = part.start(self.place("tracer"), self.spec["limits"]["ready_s"])
            self.check_place("tracer", child, part.suffix)
        if self.tracers:
            self.marks.take("tracer-ready")

    def stop_tracers(self) -> None:
        """Stop all, the last one first, whatever becomes of one; then say which of them failed."""
        if not self.tracers:
            return
        from scxval.agent.tracing import record_of

        troubles: list[Stop] = []
        for part in reversed(self.tracers):
            trouble = part.stop(self.spec["limits"]["stop_s"])
            self.marks.take(f"tracer-end{part.suffix}")
            troubles += [trouble] if trouble else []
        self.result["tracer"] = record_of(self.spec["tracers"], self.tracers)
        raw = os.statvfs(self.raw)
        if raw.f_bavail * raw.f_bsize < FULL_BYTES:
            raise Stop(
                "tracer_failed",
                f"the trace filled {self.raw}, half of the guest's memory: its machine needs more "
                "memory_mib",
                self.tracers[0].log,
            )
        if troubles:
            reasons = "; ".join(trouble.reason for trouble in reversed(troubles))
            raise Stop("tracer_failed", reasons, troubles[-1].log)

    def tracer_exit_code(self) -> int | None:
        """The first of the tracers' exit codes that is not 0, else 0; None when none was started."""
        codes = [part.child.exit_code for part in self.tracers if part.child]
        return next((code for code in codes if code != 0), 0) if codes else None

    # -- workload

    def run_workload(self) -> None:
        """Run the workload between two marks: the window of everything measured."""
        # rt-app does not make its log folder.
        logs = self.raw / "workload"
        logs.mkdir(exist_ok=True)
        commands = self.workload_commands()
        limit_s = self.spec["limits"]["workload_s"]
        groups = self.process_groups()
        before = counters.read(groups)
        start_ns = self.marks.take("work-start")
        end_s = time.monotonic() + limit_s
        for argv, cgroup in commands:
            place = self.place("workload") | ({"cgroup": cgroup} if cgroup else {})
            child = start("workload_failed", argv, self.out / "workload.log", **place)
            self.workload.append(child)
            self.check_place("workload", child)
        codes = [child.wait(max(0.0, end_s - time.monotonic())) for child in self.workload]
        self.result["window_ns"] = [start_ns, self.marks.take("work-end")]
        if None not in codes:
            counted = counters.between(before, counters.read(groups), groups)
            (self.out / "counters.json").write_text(json.dumps(counted, indent=1) + "\n", "ascii")
        for _, cgroup in commands:
            if cgroup is not None:
                from scxval.agent.cgroups import save_cpu_stat

                save_cpu_stat(cgroup, logs)
        if None in codes:
            for child in self.workload:
                child.stop(signal.SIGKILL, self.spec["limits"]["stop_s"])
            raise Stop("timeout", f"the workload had not ended after {limit_s} s", "workload.log")
        for child in self.workload:
            if child.exit_code != 0:
                reason = f"{child.argv[0]} ended with exit code {child.exit_code}"
                raise Stop("workload_failed", reason, "workload.log")

    def process_groups(self) -> dict[str, int]:
        """Leaders of what runs beside the workload: the scheduler's own program, each tracer by its name."""
        children = {f"tracer {part.spec['name']}": part.child for part in self.tracers}
        children["scheduler"] = self.scheduler
        return {name: child.process.pid for name, child in children.items() if child}

    def workload_commands(self) -> list[tuple[list[str], Path | None]]:
        """The workload's command, or those of its cgroups, which are made here, each with its own."""
        spec = self.spec["workload"]
        if "cgroups" not in spec:
            return [([self.path(arg) for arg in spec["argv"]], None)]
        # Loaded only here: every import costs an emulated guest time.
        from scxval.agent.cgroups import make_cgroup

        commands: list[tuple[list[str], Path | None]] = []
        for group in spec["cgroups"]:
            try:
                folder = make_cgroup(group["name"], group["settings"])
            except OSError as error:
                reason = f"cgroup {group['name']}: {error.filename}: {error.strerror}"
                raise Stop("workload_failed", reason, "agent.log") from error
            commands.append(([self.path(arg) for arg in group["argv"]], folder))
        return commands

    # -- the way back

    def wind_down(self) -> None:
        """Stop tracers and scheduler, save what the kernel says, copy everything out."""
        for child in self.workload:
            child.stop(signal.SIGKILL, self.spec["limits"]["stop_s"])
        for step in (self.stop_tracers, self.check_scheduler_if_worked, self.end_isolation):
            try:
                step()
            except Stop as stop:
                # A lost scheduler outranks what the workload or the tracer made of it.
                if stop.outcome == "scheduler_ejected":
                    self.result["outcome"] = "ok"
                self.fail(stop)
        (self.out / "scx_events.txt").write_text(read_events() + "\n", encoding="utf-8")
        if self.scheduler is not None:
            self.scheduler.stop(signal.SIGINT, self.spec["limits"]["stop_s"])
            self.result["scheduler"]["end"] = read_state().as_dict()
            self.marks.take("scheduler-end")
        dmesg = subprocess.run(["dmesg"], capture_output=True, check=False)
        (self.out / "dmesg.log").write_bytes(dmesg.stdout)
        copy_tree(self.raw, self.out)
        codes = [child.exit_code for child in self.workload]
        self.result["exit_codes"] = {
            "workload": next((code for code in codes if code != 0), 0) if codes else None,
            "scheduler": self.scheduler.exit_code if self.scheduler else None,
            "tracer": self.tracer_exit_code(),
        }
        self.result["versions"] = {
            name: first_line([self.path(arg) for arg in argv])
            for name, argv in self.spec["versions"].items()
        }

    def end_isolation(self) -> None:
        """The partition must have held until the end."""
        if self.partition is None:
            return
        problem = self.partition.problem()
        with contextlib.suppress(OSError):
            # A tracer that cannot be killed keeps it; a guest ends anyway, a host's launcher tries again.
            self.partition.remove()
        self.demand_partition(problem)

    def check_scheduler_if_worked(self) -> None:
        """Only a workload that was started can tell whether the scheduler lasted."""
        if self.workload:
            self.check_scheduler()


def guest_facts() -> dict[str, Any]:
    """What the guest is, for the provenance record."""
    sys_cpu = Path("/sys/devices/system")
    uname = os.uname()
    return {
        "kernel": f"{uname.release} {uname.version} {uname.machine}",
        "release": uname.release,
        "cmdline": read_text(Path("/proc/cmdline")),
        "cpus_online": read_text(sys_cpu / "cpu/online"),
        "cpus_isolated": read_text(sys_cpu / "cpu/isolated"),
        "topology": cpus.sharing(),
        "cpufreq": cpus.frequency_drivers(),
        "clocksource": read_text(sys_cpu / "clocksource/clocksource0/current_clocksource"),
        "mem_total_kib": int(read_text(Path("/proc/meminfo")).split()[1]),
        "build_id": build_id(Path("/sys/kernel/notes").read_bytes()),
        "uptime_s": float(read_text(Path("/proc/uptime")).split()[0]),
    }


def build_id(notes: bytes) -> str:
    """The kernel's GNU build id (an ELF note of type 3, 20 bytes) in hexadecimal, "" without one."""
    name = notes.find(b"GNU\0")
    return notes[name + 4 : name + 24].hex() if name >= 0 else ""


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's files into another; shutil would cost an emulated guest 80 ms to import."""
    for folder, _, names in os.walk(source):
        to = target / Path(folder).relative_to(source)
        to.mkdir(exist_ok=True)
        for name in names:
            with Path(folder, name).open("rb") as data, (to / name).open("wb") as out:
                while chunk := data.read(1 << 20):
                    out.write(chunk)
