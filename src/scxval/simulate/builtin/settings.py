# SPDX-License-Identifier: MIT
"""What a tree scheduler's user-space half sets before it loads the scheduler, from its command line.

The user-space halves (tools/sched_ext/scx_*.c of Linux 7.2) are not compiled: what they write into the
scheduler's globals is in the tables here, each line with the line of source it follows. An option that is
not in the table, or whose effect is not simulated, is refused with the reason, never ignored.
"""

from __future__ import annotations

import getopt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scxval.errors import ScxvalError

# The library's own global with what the kernel has as SCX_SLICE_DFL, in cffi's declarations.
SLICE_DFL = "extern uint64_t sim_slice_dfl_ns;"


class UnsupportedSettingError(ScxvalError):
    """A command line that the simulation cannot follow; its text is the cell's reason."""


@dataclass(frozen=True)
class Setting:
    """One global of the scheduler, its C type (in cffi's words) and what to write into it."""

    name: str
    ctype: str
    value: int


@dataclass(frozen=True)
class Machine:
    """What the user-space half asks the machine: possible CPUs, and the kernel's default slice."""

    nr_cpus: int
    slice_dfl_ns: int


@dataclass(frozen=True)
class _Default:
    name: str
    ctype: str
    value: Callable[[Machine], int]
    where: str


@dataclass(frozen=True)
class _Option:
    """An option that writes one global (`name`), changes nothing simulated (no name, no reason), or is
    refused (`refused` says why). `value` takes the option's argument ("" for none)."""

    where: str
    name: str = ""
    ctype: str = "_Bool"
    value: Callable[[str, Machine], int] = lambda text, machine: 1
    argument: bool = False
    refused: str = ""


@dataclass(frozen=True)
class _Program:
    defaults: tuple[_Default, ...]
    options: Mapping[str, _Option]


def _whole(text: str, bits: int) -> int:
    """As strtoul with base 0, but a text that is no number, or too large a one, is refused."""
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*", text):
        raise UnsupportedSettingError(f"{text!r} is not a whole number")
    value = int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    if value >= 1 << bits:
        raise UnsupportedSettingError(f"{text} does not fit into {bits} bits")
    return value


def _u32(text: str, machine: Machine) -> int:
    del machine
    return _whole(text, 32)


def _us_as_ns(text: str, machine: Machine) -> int:
    del machine
    ns = _whole(text, 64) * 1000
    if ns >= 1 << 64:
        raise UnsupportedSettingError(f"{text} us is more than 64 bits of nanoseconds")
    return ns


def _fraction_us_as_ns(text: str, machine: Machine) -> int:
    """strtod(text) * 1000, cut to a whole number as C does."""
    del machine
    try:
        ns = float(text) * 1000
    except ValueError:
        ns = math.nan
    if not 0 <= ns < 1 << 64:
        raise UnsupportedSettingError(f"{text!r} is not a time in microseconds")
    return int(ns)


def _cpu(text: str, machine: Machine) -> int:
    cpu = _whole(text, 32)
    if cpu >= machine.nr_cpus:
        raise UnsupportedSettingError(
            f"CPU {cpu} is not of this machine, which has {machine.nr_cpus}: the scheduler would not start"
        )
    return cpu


_VERBOSE = "libbpf's messages"

PROGRAMS: Mapping[str, _Program] = {
    "scx_simple": _Program(
        (),
        {
            "f": _Option("scx_simple.c:80", "fifo_sched"),
            "v": _Option(f"scx_simple.c:83: {_VERBOSE}"),
        },
    ),
    "scx_central": _Program(
        (
            _Default("central_cpu", "int32_t", lambda m: 0, "scx_central.c:59"),
            _Default("nr_cpu_ids", "uint32_t", lambda m: m.nr_cpus, "scx_central.c:60"),
            _Default("slice_ns", "uint64_t", lambda m: m.slice_dfl_ns, "scx_central.c:61"),
        ),
        {
            "s": _Option("scx_central.c:69", "slice_ns", "uint64_t", _us_as_ns, True),
            "c": _Option("scx_central.c:78", "central_cpu", "int32_t", _cpu, True),
            "v": _Option(f"scx_central.c:82: {_VERBOSE}"),
        },
    ),
    "scx_qmap": _Program(
        (
            _Default("slice_ns", "uint64_t", lambda m: m.slice_dfl_ns, "scx_qmap.c:89"),
            _Default("max_tasks", "uint32_t", lambda m: 16384, "scx_qmap.c:90"),
        ),
        {
            "s": _Option("scx_qmap.c:95", "slice_ns", "uint64_t", _us_as_ns, True),
            "e": _Option(
                "scx_qmap.c:98", argument=True, refused="the error is set off after the start"
            ),
            "t": _Option("scx_qmap.c:101", "stall_user_nth", "uint32_t", _u32, True),
            "T": _Option("scx_qmap.c:104", "stall_kernel_nth", "uint32_t", _u32, True),
            "l": _Option(
                "scx_qmap.c:107", argument=True, refused="it dispatches kthreadd, which is not here"
            ),
            "b": _Option("scx_qmap.c:110", "dsp_batch", "uint32_t", _u32, True),
            "N": _Option("scx_qmap.c:113", "max_tasks", "uint32_t", _u32, True),
            "P": _Option("scx_qmap.c:116", "print_dsqs_and_events"),
            "M": _Option("scx_qmap.c:119", "print_msgs"),
            "H": _Option("scx_qmap.c:122", "highpri_boosting"),
            "c": _Option(
                "scx_qmap.c:130", argument=True, refused="schedulers below others are not simulated"
            ),
            "d": _Option(
                "scx_qmap.c:135", argument=True, refused="the PID is one of a real machine"
            ),
            "D": _Option(
                "scx_qmap.c:140", argument=True, refused="dumps of a scheduler's state are not made"
            ),
            "S": _Option("scx_qmap.c:143", "suppress_dump"),
            "p": _Option(
                "scx_qmap.c:146", refused="SCX_OPS_SWITCH_PARTIAL leaves the workload to EEVDF"
            ),
            "I": _Option("scx_qmap.c:149", refused="SCX_OPS_ALWAYS_ENQ_IMMED is not simulated"),
            "F": _Option("scx_qmap.c:153", "immed_stress_nth", "uint32_t", _u32, True),
            "C": _Option(
                "scx_qmap.c:169", argument=True, refused="scx_bpf_cid_override is not simulated"
            ),
            "v": _Option(f"scx_qmap.c:185: {_VERBOSE}"),
        },
    ),
    "scx_flatcg": _Program(
        (
            _Default("nr_cpus", "uint32_t", lambda m: m.nr_cpus, "scx_flatcg.c:146"),
            _Default("cgrp_slice_ns", "uint64_t", lambda m: m.slice_dfl_ns, "scx_flatcg.c:148"),
        ),
        {
            "s": _Option("scx_flatcg.c:156", "cgrp_slice_ns", "uint64_t", _fraction_us_as_ns, True),
            "i": _Option("scx_flatcg.c:160: the interval of its own output", argument=True),
            "f": _Option("scx_flatcg.c:164", "fifo_sched"),
            "v": _Option(f"scx_flatcg.c:167: {_VERBOSE}"),
        },
    ),
    "scx_cpu0": _Program((), {"v": _Option(f"scx_cpu0.c:78: {_VERBOSE}")}),
    "scx_sdt": _Program((), {"v": _Option(f"scx_sdt.c:60: {_VERBOSE}")}),
}


def settings_of(binary: str, args: Sequence[str], machine: Machine) -> tuple[Setting, ...]:
    """What `binary` with these arguments writes into its globals, in order; a later one wins.

    Raises UnsupportedSettingError for a program without a table and for arguments that it does not take or
    whose effect is not simulated.
    """
    program = PROGRAMS.get(binary)
    if program is None:
        raise UnsupportedSettingError(f"{binary}: what its user-space half sets is not known here")
    chosen = [Setting(d.name, d.ctype, d.value(machine)) for d in program.defaults]
    for letter, text in _split(binary, args, program):
        option = program.options[letter]
        if option.refused:
            raise UnsupportedSettingError(f"{binary} -{letter}: {option.refused}")
        try:
            value = option.value(text, machine) if option.name else 0
        except UnsupportedSettingError as error:
            raise UnsupportedSettingError(f"{binary} -{letter}: {error}") from None
        if option.name:
            chosen.append(Setting(option.name, option.ctype, value))
    return tuple({setting.name: setting for setting in chosen}.values())


def _split(binary: str, args: Sequence[str], program: _Program) -> list[tuple[str, str]]:
    letters = "".join(f"{k}{':' if o.argument else ''}" for k, o in program.options.items())
    try:
        pairs, rest = getopt.gnu_getopt(list(args), letters)
    except getopt.GetoptError as error:
        raise UnsupportedSettingError(f"{binary}: {error}") from None
    if rest:
        raise UnsupportedSettingError(f"{binary}: {rest[0]!r} is no option")
    return [(flag.removeprefix("-"), text) for flag, text in pairs]


def declarations(settings: Sequence[Setting]) -> str:
    """The globals as C declarations for cffi's cdef."""
    return "".join(f"extern {s.ctype} {s.name};\n" for s in settings)


def write_settings(library: Any, settings: Sequence[Setting]) -> None:
    """Write them into a loaded library (cffi's dlopen, after cdef of `declarations`)."""
    for setting in settings:
        setattr(library, setting.name, setting.value)
