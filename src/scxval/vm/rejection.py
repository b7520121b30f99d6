# SPDX-License-Identifier: MIT
"""Says in one sentence why a sched_ext scheduler did not start, from its own log and the kernel's.

The sentences come from where they are printed: libbpf 1.x, the verifier's log that it passes on, glibc's
loader, getopt and clap, and kernel/sched/ext.c (`sched_ext: ...`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Cause(StrEnum):
    """Classes of causes, by who refuses and so by who can mend it."""

    LIBRARY = "library"  # the guest image lacks a shared library, or has an older one
    ARGUMENTS = "arguments"  # the scheduler refuses its own arguments
    CPUS = "cpus"  # the scheduler refuses this number of CPUs
    VERIFIER = "verifier"  # the kernel's verifier refuses a program
    MISSING = "missing"  # the kernel's BTF lacks a kfunc, a type or a member, or has another
    KCONFIG = "kconfig"  # the scheduler wants the kernel's configuration, the guest has none
    BUSY = "busy"  # another scheduler is enabled
    KERNEL = "kernel"  # sched_ext itself refuses; its line in the kernel's log
    UNKNOWN = "unknown"  # none of these was found


@dataclass(frozen=True)
class Rejection:
    """A cause, and a sentence without a full stop; "" when the logs say nothing at all."""

    cause: Cause
    reason: str


def explain(scheduler_log: str, dmesg: str) -> Rejection:
    """Why a scheduler did not start.

    `scheduler_log` is its stdout and stderr, `dmesg` the kernel's log of that boot. The most specific
    cause wins: libbpf and the scheduler turn every one of them into an errno on their last lines.
    """
    log = ANSI.sub("", scheduler_log)
    for find in (_library, _arguments, _cpus, _verifier, _missing, _kconfig):
        found = find(log)
        if found is not None:
            return found
    return _kernel(dmesg) or _busy(log) or Rejection(Cause.UNKNOWN, _last_words(log))


def _by_pattern(cause: Cause, pattern: str, sentence: str) -> Callable[[str], Rejection | None]:
    """A finder for one line; `sentence` is a template over the pattern's groups."""
    compiled = re.compile(pattern, re.MULTILINE)

    def find(log: str) -> Rejection | None:
        match = compiled.search(log)
        return None if match is None else Rejection(cause, match.expand(sentence))

    return find


def _first(*finders: Callable[[str], Rejection | None]) -> Callable[[str], Rejection | None]:
    def find(log: str) -> Rejection | None:
        return next((found for finder in finders if (found := finder(log)) is not None), None)

    return find


_library = _first(
    _by_pattern(
        Cause.LIBRARY,
        r"error while loading shared libraries: (\S+): cannot open shared object file",
        r"the guest image has no \1, which the scheduler is linked to",
    ),
    _by_pattern(
        Cause.LIBRARY,
        r"(?:error while loading shared libraries|symbol lookup error): (.+)",
        r"the guest's libraries are not those that the scheduler was built with: \1",
    ),
    _by_pattern(
        Cause.LIBRARY,
        r"(\S+: version `\S+' not found \(required by \S+\))",
        r"the guest's libraries are not those that the scheduler was built with: \1",
    ),
)

_arguments = _by_pattern(
    Cause.ARGUMENTS,
    # getopt(3) of glibc, and clap.
    r"^(?:\S+: |error: )((?:invalid option --|unrecognized option|option requires an argument|"
    r"option '.*' (?:requires|doesn't allow) an argument|unexpected argument|invalid value|"
    r"unrecognized subcommand|a value is required|the argument '|"
    r"the following required arguments were not provided).*)",
    r"the scheduler refused its arguments: \1",
)

_cpus = _by_pattern(
    Cause.CPUS,
    # The tree's scx_pair, scx_central.
    r"^(.*requires an even CPU count, got \d+|invalid central CPU id value.*|Invalid stride .*)",
    r"the scheduler refused the number of CPUs: \1",
)

_missing = _first(
    _by_pattern(
        Cause.MISSING,
        r"libbpf: extern \(func ksym\) '([^']+)': not found in kernel or module BTFs",
        r"the kernel has no kfunc \1, which the scheduler calls",
    ),
    _by_pattern(
        Cause.MISSING,
        r"libbpf: extern \(func ksym\) '([^']+)': func_proto \[\d+\] incompatible.*",
        r"the kernel's kfunc \1 has other parameters than the scheduler was built for",
    ),
    _by_pattern(
        Cause.MISSING,
        r"libbpf: (extern \(var ksym\) '[^']+': (?:not found in kernel BTF|incompatible types.*))",
        r"the kernel's type information does not fit: \1",
    ),
    _by_pattern(
        Cause.MISSING,
        r"libbpf: (struct_ops init_kern[^\n]*(?:is not found in|Cannot find member)[^\n]*)",
        r"the kernel's type information does not fit: \1",
    ),
    _by_pattern(
        Cause.MISSING,
        r"libbpf: (kernel BTF is missing at '[^']+'|failed to find valid kernel BTF)",
        r"\1",
    ),
)

_kconfig = _by_pattern(
    Cause.KCONFIG,
    r"libbpf: failed to open system Kconfig",
    "libbpf found neither /proc/config.gz nor /boot/config-<release> in the guest, and the scheduler "
    "reads the kernel's configuration from there",
)

_busy = _by_pattern(
    Cause.BUSY,
    r"Device or resource busy|\(os error 16\)|another sched_ext scheduler is already running",
    "another sched_ext scheduler is enabled",
)

PROGRAM = re.compile(r"libbpf: prog '([^']+)': BPF program load failed: (.+)")
# What the verifier prints besides its complaint: instructions, source lines, states, statistics.
NOISE = re.compile(
    r"\d+: |;|from \d+ to \d+|processed \d+ insns|verification time |stack depth |mark_precise|"
    r"func#\d+ |Func#|arg#\d+ reference|R\d+(?:_\w+)?=|\s*$"
)

# Since Linux 7.3 the complaint is explained at length: source, instructions, how it came to that.
EXPLANATION = re.compile(r"^Verification failed: ", re.MULTILINE)


def _verifier(log: str) -> Rejection | None:
    """A program that did not load: its name, libbpf's errno and the verifier's complaint."""
    failed = PROGRAM.search(log)
    if failed is None:
        return None
    name, errno = failed[1], failed[2].strip()
    begin = log.find(f"libbpf: prog '{name}': -- BEGIN PROG LOAD LOG --")
    end = log.find("-- END PROG LOAD LOG --", begin)
    text = EXPLANATION.split(log[begin:end])[0] if 0 <= begin < end else ""
    said = text.splitlines()[1:]
    complaints = [line.strip() for line in said if not NOISE.match(line)]
    if not complaints:
        return Rejection(
            Cause.VERIFIER, f"the kernel refused program {name} ({errno}) and gave no reason"
        )
    unresolved = next((line for line in complaints if "CO-RE relocation" in line), None)
    if unresolved is not None:
        field = unresolved.removeprefix("failed to resolve CO-RE relocation ")
        return Rejection(
            Cause.MISSING, f"program {name} needs what the kernel's types do not have: {field}"
        )
    return Rejection(
        Cause.VERIFIER, f"the kernel's verifier refused program {name} ({errno}): {complaints[-1]}"
    )


# Lines of kernel/sched/ext.c that are no refusal.
HARMLESS = re.compile(
    r'BPF (?:sub-)?scheduler "[^"]*" enabled|unregistered from|deprecated|not loaded'
)
DMESG = re.compile(r"^(?:\[\s*\d+\.\d+\]\s*)?sched_ext: (.+)$", re.MULTILINE)


def kernel_says(dmesg: str) -> str:
    """What sched_ext itself said of a refused or disabled scheduler, "" for nothing.

    A disabled scheduler's reason is on the line after.
    """
    said = [line.strip() for line in DMESG.findall(dmesg) if not HARMLESS.search(line)]
    return "; ".join(said[:2])


def _kernel(dmesg: str) -> Rejection | None:
    said = kernel_says(dmesg)
    return Rejection(Cause.KERNEL, f"the kernel refused the scheduler: {said}") if said else None


ANYHOW = re.compile(r"^Error: (.+)\n\nCaused by:\n((?:    .+\n?)+)", re.MULTILINE)
CAUSE_NUMBER = re.compile(r"^\d+: ")
# SCX_BUG() of tools/sched_ext/include/scx/common.h: where and errno, and what it is about.
SCX_BUG = re.compile(r"^\[SCX_BUG\] \S+:\d+(?: \((.+)\))?\n(.+)", re.MULTILINE)


def _last_words(log: str) -> str:
    """The scheduler's own last complaint: a Rust error with its causes, an SCX_BUG, or a line."""
    chain = ANYHOW.search(log)
    if chain is not None:
        causes = [CAUSE_NUMBER.sub("", line.strip()) for line in chain[2].splitlines()]
        more = "; with -v among its args the scheduler's log has libbpf's own messages"
        return f"{': '.join([chain[1], *causes])}{more if 'BPF' in chain[1] else ''}"
    bug = SCX_BUG.search(log)
    if bug is not None:
        return f"{bug[2]}: {bug[1]}" if bug[1] else bug[2]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""
