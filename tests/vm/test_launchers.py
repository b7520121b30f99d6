# SPDX-License-Identifier: MIT
"""The launchers side by side: the same cell, kernel and image end the same way through each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import Config
from scxval.errors import HarnessError, ScxvalError
from scxval.vm import qemu, vng
from scxval.vm.launch import Guest, VmSpec

from .test_outcomes import limited, run, spec_of

pytestmark = pytest.mark.vm

# tests/faults/machines.yaml
MACHINES = {"qemu": "tcg2", "vng": "vng2"}
Result = tuple[dict[str, Any], dict[str, Any]]


def both(config: Config, guest: Guest, out: Path, limits: dict[str, int], **axes: str) -> Result:
    """A cell's status by qemu and by vng, after checks that hold for every pair."""

    def run_by(launcher: str) -> dict[str, Any]:
        spec = limited(spec_of(config, machine=MACHINES[launcher], **axes), **limits)
        return run(spec, guest, out / launcher)

    with ThreadPoolExecutor() as pool:
        status = dict(zip(MACHINES, pool.map(run_by, MACHINES), strict=True))
    for launcher in MACHINES:
        vm = provenance(out / launcher)["vm"]
        assert vm["launcher"] == launcher
        assert "QEMU emulator version" in vm["version"]
        assert ("virtme-ng" in vm["version"]) == (launcher == "vng")
        assert "-sandbox" in vm["argv"]
    mine, other = status["qemu"], status["vng"]
    for key in ("outcome", "reason", "exit_codes", "tracer"):
        assert mine[key] == other[key], key
    assert set(mine["raw"]) == set(other["raw"])
    digests = [provenance(out / launcher)["digests"] for launcher in MACHINES]
    assert digests[0] == digests[1]
    return mine, other


def provenance(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "provenance.json").read_text())
    return record


def test_ok(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    axes = {"scheduler": "scx_central", "isolation": "taskset"}
    for status in both(fault_config, guest, tmp_path, {}, **axes):
        assert status["outcome"] == "ok", status
        assert status["scheduler"]["after"]["ops"] == "central"
        assert status["scheduler"]["after"]["state"] == "enabled"
    mine, other = (provenance(tmp_path / launcher) for launcher in MACHINES)
    for key in ("kernel", "build_id", "cpus_online", "cpus_isolated"):
        assert mine["guest"][key] == other["guest"][key], key
    assert mine["versions"] == other["versions"]


def test_the_guest_has_its_kernels_configuration(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    # Without it libbpf refuses most schedulers from crates.
    for status in both(fault_config, guest, tmp_path, {}, workload="kernel_config"):
        assert status["outcome"] == "ok", status["log_tail"]


def test_panic(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    for status in both(fault_config, guest, tmp_path, {}, workload="panic"):
        assert status["outcome"] == "panic"
        assert any("Kernel panic" in line for line in status["log_tail"])


def test_a_guest_that_hangs_is_killed(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    limits = {"total_s": 40}
    for status in both(fault_config, guest, tmp_path, limits, workload="hang"):
        assert status["outcome"] == "timeout"
        assert "killed after 40 s; its last sign was work-start" in status["reason"]


def test_vng_boot_failed(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    status = run(spec_of(fault_config, machine="vng_rootless2"), guest, tmp_path / "cell")
    assert status["outcome"] == "boot_failed"
    assert "kernel panic before the job began" in status["reason"]
    assert any("Kernel panic" in line for line in status["log_tail"])


@pytest.mark.parametrize(
    ("cmdline", "says"), [("x=" + "y" * 1000, "shorten its cmdline"), ('x="y z"', "cannot quote")]
)
def test_vng_says_what_it_cannot_boot(
    fault_config: Config, guest: Guest, tmp_path: Path, cmdline: str, says: str
) -> None:
    machine = fault_config.catalog.machines["vng2"]
    spec = VmSpec(machine, guest, tmp_path, tmp_path, tmp_path, cmdline)
    with pytest.raises((ScxvalError, HarnessError), match=says):
        vng.argv(spec)


def test_vng_gives_the_guest_one_writable_folder_and_no_network(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    machine = fault_config.catalog.machines["vng2"]
    inputs, out, work = (tmp_path / name for name in ("in", "out", "work"))
    for folder in (inputs, out, work):
        folder.mkdir()
    argv = vng.argv(VmSpec(machine, guest, inputs, out, work, "x=1"))
    shares = {word for word in argv if word.startswith("local,")}
    assert [s for s in shares if "readonly=on" not in s] == [
        s for s in shares if f"path={out}," in s
    ]
    (drive,) = (word for word in argv if f"file={guest.image}," in word)
    assert "readonly=on" in drive
    written = {word.partition(",path=")[2] for word in argv if word.startswith("file,")}
    assert written == {str(out / "console.log"), "/dev/null"}
    assert argv[argv.index("-net") + 1] == "none"
    assert not {"-netdev", "-nic", "-monitor", "-qmp", "-enable-kvm"} & set(argv)
    assert argv[-1] == qemu.SANDBOX
    assert "oops=panic x=1" in argv[argv.index("-append") + 1]
    # What a newer option overrides is the same for both launchers.
    assert " ".join(qemu.processor(machine)) in " ".join(argv)
