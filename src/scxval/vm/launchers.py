# SPDX-License-Identifier: MIT
"""Every launcher by the name that machines give it: what they have in common, and where they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scxval.vm import host, icount, qemu, vng
from scxval.vm.launch import VmSpec


def _as_it_is(spec: VmSpec) -> VmSpec:
    return spec


def _nothing(spec: VmSpec) -> None:
    """Most machines need no more than their command."""


@dataclass(frozen=True)
class Launcher:
    """How one kind of machine is started.

    `argv` is the command that runs it until the job has ended; `version` goes into the provenance record.
    Both raise HarnessError when they cannot be made. `prepare` lays out in the job's work folder what the
    machine needs, once; `before_start` is done before each start; `clean_up` undoes what killing the
    command does not. `boots` is False where no guest can hang before the job begins.
    """

    argv: Callable[[VmSpec], list[str]]
    version: Callable[[], str]
    prepare: Callable[[VmSpec], VmSpec] = _as_it_is
    before_start: Callable[[VmSpec], None] = _nothing
    clean_up: Callable[[VmSpec], None] = _nothing
    boots: bool = True


LAUNCHERS = {
    "qemu": Launcher(qemu.argv, qemu.version, before_start=qemu.release),
    "vng": Launcher(vng.argv, vng.version),
    "icount": Launcher(icount.argv, icount.version, icount.prepare),
    "host": Launcher(host.argv, host.version, host.prepare, clean_up=host.clean_up, boots=False),
}
