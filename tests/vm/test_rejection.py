# SPDX-License-Identifier: MIT
"""Why a scheduler did not start, from logs that real schedulers and a real 7.2 kernel wrote."""

from __future__ import annotations

import pytest

from scxval.vm.rejection import Cause, explain

from ..conftest import ROOT

LOGS = ROOT / "tests/fixtures/rejections"


@pytest.mark.parametrize(
    ("name", "cause", "says"),
    [
        (
            "verifier",
            Cause.VERIFIER,
            "the kernel's verifier refused program simple_enqueue (-EACCES): "
            "invalid bpf_context access off=800 size=8",
        ),
        ("verifier_stack", Cause.VERIFIER, "invalid read from stack R10 off=8 size=8"),
        ("verifier_qmap", Cause.VERIFIER, "qmap_dequeue (-EACCES): R7 invalid mem access 'scalar'"),
        # Linux 7.3 explains its complaint at length after it.
        ("verifier_73", Cause.VERIFIER, "qmap_dequeue (-EACCES): R7 invalid mem access 'scalar'"),
        ("kfunc", Cause.MISSING, "no kfunc scx_bpf_create_dsx, which"),
        ("type", Cause.MISSING, "struct bpf_struct_ops_sched_ext_opx is not found in kernel BTF"),
        (
            "field",
            Cause.MISSING,
            "program simple_enqueue needs what the kernel's types do not have",
        ),
        ("library", Cause.LIBRARY, "the guest image has no libelg.so.1, which"),
        ("symbol", Cause.LIBRARY, "undefined symbol: elf_getdatx, version ELFUTILS_1.0"),
        ("arguments", Cause.ARGUMENTS, "refused its arguments: invalid option -- 'Z'"),
        ("arguments_rust", Cause.ARGUMENTS, "unexpected argument '--nosuch' found"),
        ("odd_cpus", Cause.CPUS, "requires an even CPU count, got 3"),
        ("kconfig", Cause.KCONFIG, "/proc/config.gz"),
        ("busy", Cause.BUSY, "another sched_ext scheduler is enabled"),
        ("isolcpus", Cause.KERNEL, 'Not compatible with "isolcpus=" domain isolation'),
        # Without -v scx_bpfland does not pass on what libbpf says.
        (
            "bpfland",
            Cause.UNKNOWN,
            "Failed to load BPF program: Invalid argument (os error 22); with -v",
        ),
        ("skeleton", Cause.UNKNOWN, "Could not open scx_simple: No such process"),
    ],
)
def test_a_real_refusal(name: str, cause: Cause, says: str) -> None:
    dmesg = LOGS / f"{name}.dmesg"
    found = explain((LOGS / f"{name}.log").read_text(), dmesg.read_text() if dmesg.exists() else "")
    assert found.cause is cause
    assert says in found.reason
    assert "\n" not in found.reason
    assert "\x1b" not in found.reason


def test_a_disabled_scheduler_is_explained_by_the_kernel() -> None:
    # The two lines of scx_disable_workfn() in kernel/sched/ext.c.
    dmesg = (
        "[    7.1] 9p: Installing v9fs 9p2000 file system support\n"
        '[    9.1] sched_ext: BPF scheduler "simple" disabled (runtime error)\n'
        "[    9.2] sched_ext: simple: ops.init() failed (-12)\n"
    )
    found = explain("EXIT: runtime error\n", dmesg)
    assert found.cause is Cause.KERNEL
    assert "disabled (runtime error); simple: ops.init() failed (-12)" in found.reason


def test_a_scheduler_that_was_enabled_is_no_refusal() -> None:
    dmesg = (
        '[    9.1] sched_ext: BPF scheduler "simple" enabled\n'
        '[    9.3] sched_ext: BPF scheduler "simple" disabled (unregistered from user space)\n'
    )
    assert explain("", dmesg).cause is Cause.UNKNOWN


def test_silence_and_noise() -> None:
    assert explain("", "").reason == ""
    # A guest that died while the log was written.
    cut = (LOGS / "verifier.log").read_text().partition("-- END")[0]
    assert "simple_enqueue" in explain(cut, "").reason
    assert explain("one\ntwo\n\n", "").reason == "two"
