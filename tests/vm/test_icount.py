# SPDX-License-Identifier: MIT
"""The icount launcher: what the guest is given, and that two runs of a cell are the same."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.catalog.model import Machine
from scxval.files import sha256
from scxval.vm import icount
from scxval.vm.launch import Guest, VmSpec, job_began

from .test_outcomes import limited, run, spec_of

# A guest in one thread needs about three times as long as the limits of the shipped configuration are for.
PATIENCE = {"boot_s": 270, "total_s": 500}


def job_spec(folder: Path) -> VmSpec:
    inputs = folder / "in"
    (inputs / "scxval").mkdir(parents=True)
    (inputs / "job.json").write_text("{}\n")
    (inputs / "scxval/agent.py").write_text("odd")
    (inputs / "scheduler").write_bytes(b"ELF" * 5)
    (inputs / "scheduler").chmod(0o755)
    for name in ("initramfs", "image"):
        (folder / name).write_bytes(name.encode())
    machine = Machine("m", "tcg", "", "k", 1, 512, "icount", icount_shift=3)
    guest = Guest(folder / "kernel", folder / "initramfs", folder / "image")
    (folder / "work").mkdir()
    return VmSpec(machine, guest, inputs, folder / "out", folder / "work")


def test_image_and_job_are_in_the_initramfs(tmp_path: Path) -> None:
    first, second = (icount.prepare(job_spec(tmp_path / name)) for name in "ab")
    whole = first.guest.initramfs
    assert sha256(whole) == sha256(second.guest.initramfs), "it depends on times or places"
    data = whole.read_bytes()
    # The kernel's own initramfs comes first, and the next one is aligned.
    assert data.startswith(b"initramfs" + bytes(3) + b"070701")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], input=data[12:], cwd=unpacked, check=True)
    files = {p.relative_to(unpacked): p for p in unpacked.rglob("*") if p.is_file()}
    inputs = {
        Path("job/in") / p.relative_to(first.inputs): p
        for p in first.inputs.rglob("*")
        if p.is_file()
    }
    assert set(files) == {Path("guest.erofs"), *inputs}
    for name, source in inputs.items():
        assert files[name].read_bytes() == source.read_bytes()
        assert files[name].stat().st_mode == source.stat().st_mode


def test_nothing_of_the_host_comes_in(tmp_path: Path) -> None:
    argv = icount.argv(job_spec(tmp_path))
    assert argv[argv.index("-icount") + 1] == "shift=3,sleep=off"
    assert argv[argv.index("-accel") + 1] == "tcg,thread=single"
    assert "-drive" not in argv
    assert "idle=poll" in argv[argv.index("-append") + 1].split()
    assert [word.split(",")[2] for word in argv if word.startswith("local,")] == [
        "mount_tag=job_out"
    ]


def test_the_console_tells_that_the_job_began(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    assert not job_began(tmp_path)
    console.write_bytes(b"[    0.1] booting\r\n")
    assert not job_began(tmp_path)
    console.write_bytes(b'[    0.1] booting\r\n{"mark": "job-start"}\r\n')
    assert job_began(tmp_path)


@pytest.mark.vm
def test_two_runs_are_the_same(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = limited(spec_of(fault_config, machine="icount1"), **PATIENCE)
    seen = []
    # At the same time: what the host is busy with must not matter.
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda name: run(spec, guest, tmp_path / name), "ab"))
    for status in runs:
        assert status["outcome"] == "ok", (status["reason"], status["log_tail"])
        # The console goes on after the job, when the host's disk has had its say.
        seen.append({k: v for k, v in status["raw"].items() if k not in ("console.log", "vm.log")})
    # Said first: where two runs part is easier to see in times than in digests.
    first, second = ((tmp_path / name / "raw/agent.jsonl").read_text() for name in "ab")
    assert first == second
    assert len([name for name in seen[0] if name.startswith("workload/rt-")]) == 3
    assert seen[0] == seen[1]
    record = json.loads((tmp_path / "a/provenance.json").read_text())
    assert record["machine"]["smp_timing"] is False
    assert "take turns" in record["machine"]["not_for_smp_timing"]


@pytest.mark.vm
def test_a_panic_is_told_by_the_console(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = limited(spec_of(fault_config, machine="icount1", workload="panic"), **PATIENCE)
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "panic"
    assert "after job-start: sysrq triggered crash" in status["reason"]
    assert status["wall_s"]["boot"] > 0
