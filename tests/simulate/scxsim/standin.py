# SPDX-License-Identifier: MIT
"""A program with the documented interface of scxsim, whose simulation is a scripted scenario.

It takes the documented flags and no others, reads the workload itself, and writes the three formats.
STANDIN_MODE makes it another build, or ends it in another way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.simulate.scxsim.exports import chrome, jsonl, perfetto
from tests.simulate.scxsim.scenario import scenario

MODE = os.environ.get("STANDIN_MODE", "")
EXIT_KINDS = {
    42: "ErrorStall { pid: 2, runnable_for_ns: 30000000000 }",
    43: 'ErrorBpf("scx_bpf_error: no such dsq")',
    44: "ErrorDispatchLoopExhausted { cpu: 1 }",
    45: "ErrorCgroupExhausted",
    46: "ErrorTerminalParkNotReached",
    47: "ErrorSchedulerIdentityMismatch { expected: simple, found: lavd }",
}
SKIPPED = ["lock", "unlock", "wait", "signal", "broad", "sync", "mem", "barrier", "fork"]
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1, "": 1}
HELP = """Run sched_ext scheduler simulations from rt-app workloads

Usage: scxsim [OPTIONS] <COMMAND>

Commands:
  run     Simulate a workload
{vm_run}  replay  Replay a recorded preemption trace
  help    Print this message or the help of the given subcommand(s)

Options:
      --no-disable-aslr  Keep address space layout randomization
  -h, --help             Print help
"""
RUN_HELP = """Simulate a workload

Usage: scxsim run [OPTIONS] [WORKLOAD]

Arguments:
  [WORKLOAD]  Path to an rt-app JSON workload file

Options:
  -s, --scheduler <SCHEDULER>
          Scheduler name [default: simple]

          --not-a-flag is only mentioned here

  -c, --cpus <CPUS>
          Number of simulated CPUs [default: 4]

      --smt <SMT>
          SMT threads per core [default: 1]
      --seed <SEED>
          Seed, or `entropy` [env: SCX_SIM_SEED=] [default: 42]
      --end-time <END_TIME>
          Simulated time [aliases: --duration]
      --warmup-ms <MS>
      --list-schedulers
      --perfetto <PATH>
      --trace-format <FORMAT>
          [default: json] [possible values: json, perfetto]
      --structops-jsonl <PATH>
      --no-noise
      --no-overhead
      --rbc-ns <N>
      --no-rbc
      --watchdog-timeout <T>
"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Clap(argparse.ArgumentParser):
    """Refuses what it does not know with status 2."""

    def error(self, message: str):
        say(f"error: {message}\n\nFor more information, try '--help'.")
        sys.exit(2)


def main(argv: list[str]) -> int:
    if MODE == "foreign":
        print("a calculator of some sort")
        return 0
    if MODE == "silent":
        time.sleep(60)
    if argv == ["--version"]:
        if MODE == "no-version":
            say("error: unexpected argument '--version' found")
            return 2
        print("scxsim 1.0.0")
        return 0
    if argv == ["--help"]:
        vm_run = "" if MODE == "no-vm-run" else "  vm-run  Run on a real kernel in virtme-ng\n"
        text = HELP.format(vm_run=vm_run)
        print(text.replace("  run     Sim", "  go      Sim") if MODE == "no-run" else text)
        return 0
    if argv == ["run", "--help"]:
        text = RUN_HELP.replace("      --structops-jsonl <PATH>\n", "")
        print(text if MODE == "no-jsonl" else RUN_HELP)
        return 0
    if argv == ["run", "--list-schedulers"]:
        print("Available schedulers:")
        print(
            "\n".join(
                f"  {name}"
                for name in ["cosmos", "lavd", "layered", "mitosis", "simple", "tickless"]
            )
        )
        return 0
    say("scxsim: disabling ASLR and re-executing (use --no-disable-aslr to keep it)")
    return simulate(argv)


def simulate(argv: list[str]) -> int:
    parser = Clap(add_help=False, allow_abbrev=False)
    parser.add_argument("command", choices=["run"])
    parser.add_argument("workload", type=Path)
    parser.add_argument("-s", "--scheduler", default="simple")
    parser.add_argument("-c", "--cpus", type=int, default=4)
    parser.add_argument("--smt", type=int, default=1)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--end-time", "--duration", dest="duration")
    parser.add_argument("--perfetto", type=Path)
    parser.add_argument("--trace-format", choices=["json", "perfetto"], default="json")
    parser.add_argument("--structops-jsonl", type=Path)
    parser.add_argument("--rbc-ns", type=int)
    parser.add_argument("--no-rbc", action="store_true")
    args = parser.parse_args(argv)
    data = json.loads(args.workload.read_text())
    if not isinstance(data["global"]["duration"], int):
        say("Error: duration is not an integer")
        return 1
    tasks = list(data["tasks"])
    for name, body in data["tasks"].items():
        if any(cpu >= args.cpus for cpu in body.get("cpus", [])):
            say(f"Error: task {name}: cpu out of range")
            return 1
        warn_of_skipped(name, body)
    return run(args, tasks)


def warn_of_skipped(name: str, body: dict) -> None:
    """Only with RUST_LOG=warn, as the program logs errors only by default."""
    if os.environ.get("RUST_LOG") != "warn":
        return
    for phase in body.get("phases", {"": body}).values():
        for key in phase:
            if any(key.startswith(event) for event in SKIPPED):
                say(
                    "\x1b[2m2026-09-24T10:00:00.123456Z\x1b[0m \x1b[33m WARN\x1b[0m "
                    f"scx_simulator::rtapp: skipping unsupported event '{key}' of task {name}"
                )


def run(args: argparse.Namespace, tasks: list[str]) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|ms|us|ns|)", args.duration).groups()
    if MODE == "hang":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("child").touch()
        time.sleep(600)
    if MODE == "exit-1":
        say("Error: scheduler library not found")
        return 1
    seed = args.seed + int(os.environ.get("SCX_SIM_NOISE", "0"))
    records = scenario(tasks, args.cpus, int(number) * UNITS[unit], seed)
    if MODE == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    write = perfetto if args.trace_format == "perfetto" else chrome
    trace = write(records, tasks, args.cpus)
    if MODE == "truncated":
        trace = trace[: len(trace) * 2 // 3]
    if MODE == "garbage":
        trace = b"no trace at all"
    if MODE != "no-trace":
        args.perfetto.write_bytes(trace)
    args.structops_jsonl.write_bytes(jsonl(records))
    mode = "fallback" if args.no_rbc else "pmu"
    if MODE == "wrong-clock":
        mode = "fallback" if mode == "pmu" else "pmu"
    print("=== Simulation complete ===")
    print(f"  scheduler: {args.scheduler}\n  events: {len(records)}")
    if MODE != "no-clock":
        print(f"  clock: {mode} (kfunc-cost model)")
    if MODE.startswith("exit-"):
        code = int(MODE.removeprefix("exit-"))
        say(f"scxsim: ExitKind::{EXIT_KINDS[code]}")
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
