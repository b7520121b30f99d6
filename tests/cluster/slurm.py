# SPDX-License-Identifier: MIT
"""A real Slurm of one node, this one: munge, slurmctld and slurmd as root, without systemd or cgroups.

All of it lives in one folder with its own configuration, key, socket and ports, but for a link to that
configuration where clients look for one: Snakemake's executor gives a job no SLURM_CONF. By hand:
`python -m tests.cluster.slurm start FOLDER`, and `... stop FOLDER`. Needs the Debian packages slurm-wlm and
munge (envs/test.packages).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
CONF = Path("/etc/slurm/slurm.conf")
# In the order in which they start; they are stopped the other way round.
DAEMONS = ("munged", "slurmctld", "slurmd")


def missing() -> str:
    """Why there can be no Slurm here; "" when there can."""
    if os.geteuid() != 0:
        return "a one-node Slurm is started as root only"
    if CONF.exists():
        return f"{CONF}: this machine has a Slurm already"
    path = f"{os.environ['PATH']}:{SBIN}"
    lacks = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return f"{', '.join(lacks)} not found: sh envs/host.sh test.packages" if lacks else ""


def node_name() -> str:
    """This machine's name to Slurm."""
    return platform.node().split(".")[0]


def start(folder: Path) -> None:
    """Start the daemons, and return once the node is idle.

    Raises RuntimeError with the daemons' last lines when it is not within a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name in ("state", "spool", "log"):
        (folder / name).mkdir(exist_ok=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    conf = folder / "slurm.conf"
    conf.write_text(configuration(folder), encoding="utf-8")
    # A link that leads nowhere is of a Slurm whose folder is gone.
    CONF.unlink(missing_ok=True)
    CONF.symlink_to(conf)
    _daemon(
        folder,
        "munged",
        "--foreground",
        *(f"--key-file={key}", f"--socket={folder}/munge.socket"),
        *(f"--pid-file={folder}/munge.pid", f"--log-file={folder}/log/munge.log"),
        f"--seed-file={folder}/munge.seed",
    )
    _wait(folder, lambda: (folder / "munge.socket").exists())
    _daemon(folder, "slurmctld", "-D", "-c", "-f", str(conf))
    _daemon(folder, "slurmd", "-D", "-f", str(conf))
    _wait(folder, lambda: _client("sinfo", "--noheader", "--format=%T") == "idle")


def stop(folder: Path) -> None:
    """Stop what `start` started in that folder, jobs included."""
    ours = CONF.is_symlink() and CONF.readlink() == folder / "slurm.conf"
    if ours:
        _client("scancel", "--full", "--user=root")
    for name in reversed(DAEMONS):
        file = folder / f"{name}.group"
        if file.exists():
            _end(int(file.read_text(encoding="utf-8")))
            file.unlink()
    if ours:
        CONF.unlink()


def configuration(folder: Path) -> str:
    """slurm.conf: CPUs and memory are given out, nothing is contained, finished jobs stay in squeue."""
    controller, node = _free_ports()
    name = node_name()
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return f"""\
ClusterName=scxval
SlurmctldHost={name}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MinJobAge=300
SchedulerParameters=sched_interval=1,sched_min_interval=1000
NodeName={name} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={memory_mib - 64} Feature=vm State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _daemon(folder: Path, name: str, *args: str) -> None:
    """Start a daemon in a process group of its own, whose number is kept in <name>.group."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:{SBIN}")
    assert program, f"{name} not found"
    with (folder / "log" / f"{name}.out").open("w") as log:
        process = subprocess.Popen(
            [program, *args],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / f"{name}.group").write_text(str(process.pid), encoding="utf-8")


def _client(*args: str) -> str:
    done = subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip()


def _wait(folder: Path, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        if time.monotonic() > end:
            logs = sorted((folder / "log").iterdir())
            tails = [f"{f.name}: {f.read_text(errors='replace')[-600:]}" for f in logs]
            stop(folder)
            raise RuntimeError("no Slurm within a minute:\n" + "\n".join(tails))
        time.sleep(0.2)


def _end(group: int) -> None:
    """End a daemon's process group, and take its exit status if it is a child of ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(50):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(group, os.WNOHANG)
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def main() -> None:
    """Command line: start or stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path, help="where all of it lives")
    args = parser.parse_args()
    folder = args.folder.absolute()
    if args.action == "stop":
        stop(folder)
    elif why := missing():
        raise SystemExit(why)
    else:
        start(folder)


if __name__ == "__main__":
    main()
