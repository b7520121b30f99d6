# SPDX-License-Identifier: MIT
"""The tree schedulers as native libraries: what compiles, their ops, and the types they were given."""

from __future__ import annotations

import json
import struct

import pytest

from scxval.errors import HarnessError
from scxval.files import sha256
from scxval.formats.btf import read_btf, section_of
from scxval.provision.simulators import BUILTIN, foreign_op, ops_of, reason_of
from scxval.simulate.builtin.settings import (
    SLICE_DFL,
    Machine,
    declarations,
    settings_of,
    write_settings,
)
from tests.conftest import KERNEL, RESOURCES
from tests.simulate.builtin.checked import Checked

VMLINUX = RESOURCES / "kernel" / KERNEL / "vmlinux"
HEADER = (BUILTIN / "shim/include/vmlinux.h").read_text()
COMPILED = ["scx_central", "scx_cpu0", "scx_flatcg", "scx_qmap", "scx_sdt", "scx_simple"]
ELF = b"\x7fELF"


@pytest.fixture(scope="module")
def btf():
    return read_btf(VMLINUX)


def record(libraries, name):
    return json.loads((libraries / f"{name}.json").read_text())


@pytest.mark.parametrize("name", COMPILED)
def test_compiles(libraries, name):
    found = record(libraries, name)
    assert (found["outcome"], found["reason"]) == ("ok", "")
    assert found["kernel"] == KERNEL
    assert found["library_sha256"] == sha256(libraries / f"{name}.so")
    assert "clang version" in found["compiler"]
    assert found["argv"][0][0] == "clang"
    assert f"tools/sched_ext/{name}.bpf.c" in found["sources"]
    assert found["sources"]["builtin/shim/maps.c"] == sha256(BUILTIN / "shim/maps.c")
    others = [path for path in found["sources"] if path.endswith(".bpf.c")]
    assert others == [f"tools/sched_ext/{name}.bpf.c"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("scx_pair", "this type of map, or this helper for it, is not modelled"),
        ("scx_userland", "its policy is in user space"),
    ],
)
def test_is_unsupported_with_a_reason(libraries, name, reason):
    found = record(libraries, name)
    assert found["outcome"] == "unsupported"
    assert reason in found["reason"]
    assert "\n" not in found["reason"]
    assert not (libraries / f"{name}.so").exists()


def real_ops(name, members):
    """Ops that the provisioned binary's own BPF object sets, and the bytes of its ops struct."""
    binary = (RESOURCES / "schedulers/tree" / KERNEL / name).read_bytes()
    elf = binary[binary.index(ELF, 4) :]
    struct_bytes = section_of(elf, b".struct_ops.link")
    relocations = section_of(elf, b".rel.struct_ops.link")
    offsets = [at for at, _ in struct.iter_unpack("<QQ", relocations)]
    return {members[at // 8] for at in offsets}, struct_bytes


@pytest.mark.parametrize("name", COMPILED)
def test_ops_are_those_of_the_real_one(libraries, btf, name):
    variable = f"{name.removeprefix('scx_')}_ops"
    declared = f"extern uint64_t {variable}[64];"
    sim = Checked(libraries / f"{name}.so", 4, declared)
    ops = getattr(sim.lib, variable)
    kind = "sched_ext_ops_cid" if name == "scx_qmap" else "sched_ext_ops"
    members = list(btf.members(kind))
    real, struct_bytes = real_ops(name, members)
    data_at = members.index("dispatch_max_batch")
    ours = {members[n] for n in range(data_at) if ops[n]}
    assert ours == real
    data = slice(8 * data_at, len(struct_bytes))
    assert sim.ffi.buffer(ops, len(struct_bytes))[data] == struct_bytes[data]


def test_settings_are_written(libraries):
    sim = Checked(libraries / "scx_central.so", 4, SLICE_DFL)
    slice_dfl_ns = sim.lib.sim_slice_dfl_ns
    assert slice_dfl_ns == 20_000_000
    chosen = settings_of("scx_central", ["-c", "2", "-s", "700"], Machine(4, slice_dfl_ns))
    sim.ffi.cdef(declarations(chosen))
    assert sim.lib.nr_cpu_ids == 1
    write_settings(sim.lib, chosen)
    assert (sim.lib.central_cpu, sim.lib.nr_cpu_ids, sim.lib.slice_ns) == (2, 4, 700_000)


def test_a_division_by_zero_is_zero(libraries):
    """simple_stopping() charges (slice used) * 100 / weight: with weight 0 the kernel's BPF charges none."""
    task = HEADER[HEADER.index("struct sched_entity {") : HEADER.index("struct rq {")]
    task = task.replace("u64", "uint64_t").replace("u32", "uint32_t").replace("bool ", "_Bool ")
    declared = f"""
        typedef struct cpumask {{ uint64_t bits[4]; }} cpumask_t; typedef int pid_t;
        {task}
        void simple_stopping(struct task_struct *p, _Bool runnable);
    """
    sim = Checked(libraries / "scx_simple.so", 4, declared)
    p = sim.ffi.new("struct task_struct *")
    p.scx.dsq_vtime = 77
    for weight, vtime in ((0, 77), (50, 77 + 2 * 20_000_000)):
        p.scx.weight = weight
        sim.lib.simple_stopping(p, True)
        assert p.scx.dsq_vtime == vtime


def test_ops_of_the_header_are_the_kernel_s(btf):
    for name in ("sched_ext_ops", "sched_ext_ops_cid"):
        assert list(ops_of(HEADER, name).items()) == list(btf.members(name).items())
    assert foreign_op(btf, HEADER) == ""


def test_a_kernel_with_other_ops_is_told(btf):
    without = HEADER.replace("\tvoid (*tick)(struct task_struct *p);\n", "", 1)
    assert foreign_op(btf, without).startswith("tick of struct sched_ext_ops is not")
    wider = HEADER.replace(
        "(*enable)(struct task_struct *p)", "(*enable)(struct task_struct *p, u64 x)"
    )
    assert foreign_op(btf, wider).startswith("enable of struct sched_ext_ops is not")


@pytest.mark.parametrize(
    "name",
    [
        "task_struct",
        "sched_ext_entity",
        "cgroup",
        "scx_cmask",
        "scx_event_stats",
        "scx_init_task_args",
        "scx_cid_topo",
        "scx_exit_info",
        "scx_dump_ctx",
        "scx_cgroup_init_args",
    ],
)
def test_fields_have_the_kernel_s_names(btf, name):
    """Whatever the header has, the kernel has; what is the simulation's own starts with sim_."""
    names = {n for n in ops_of(HEADER, name) if not n.startswith("sim_")}
    assert names
    assert names <= btf.members(name).keys()


def test_a_failure_without_a_reason_is_a_fault_of_the_harness():
    assert reason_of("x.c: note: a\nx.c:1:2: error: no b\n") == "x.c:1:2: error: no b"
    assert (
        reason_of("/usr/bin/ld: x.o: undefined reference to `f'")
        == "x.o: undefined reference to `f'"
    )
    with pytest.raises(HarnessError, match="without an error"):
        reason_of("Killed")
