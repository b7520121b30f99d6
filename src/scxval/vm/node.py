# SPDX-License-Identifier: MIT
"""The machine that a job runs on: its name, the batch job it is part of, whether it can start a guest.

On a cluster the plan is made on one machine and cells run on others, so what is said here is asked in the
job itself.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import HarnessError

KVM = Path("/dev/kvm")
# Of each batch system the variables with a job's number and with its nodes. The last are for a site's own
# submit script (workflow/profiles/cluster).
BATCH = {
    "slurm": ("SLURM_JOB_ID", "SLURM_JOB_NODELIST"),
    "cluster": ("SCXVAL_BATCH_JOB", "SCXVAL_BATCH_NODES"),
}


@dataclass(frozen=True)
class Node:
    """Where a job runs. `batch` is slurm, cluster or "" (none); `job` and `nodes` are as it says."""

    name: str
    batch: str = ""
    job: str = ""
    nodes: str = ""


def this_node(environment: Mapping[str, str] = os.environ) -> Node:
    """This machine and the batch job that this process is part of."""
    for batch, (job, nodes) in BATCH.items():
        if environment.get(job):
            return Node(platform.node(), batch, environment[job], environment.get(nodes, ""))
    return Node(platform.node())


def require_accelerator(accelerator: str, device: Path = KVM) -> None:
    """Raises HarnessError where this node has no such accelerator for this user.

    It was proved on the node that ran the probe, and no cell is ever run with another accelerator.
    """
    if accelerator != "kvm":
        return
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise HarnessError(
            f"node {platform.node()}: {device}: {error.strerror}; what can run was proved on the node "
            "of the probe: name nodes that are alike (constraint, docs/cluster.md) or configure a "
            "tcg machine"
        ) from error


def boot_note(accelerator: str) -> str:
    """What to add to why a guest did not boot: a device that opens proves nothing."""
    if accelerator != "kvm":
        return ""
    return f" (kvm on node {platform.node()}; `scxval doctor` there says what was proved)"
