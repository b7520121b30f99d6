# SPDX-License-Identifier: MIT
"""What the tree schedulers' user-space halves set, against their own source and the catalogue."""

from __future__ import annotations

import re
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.catalog.config import parse_config
from scxval.simulate.builtin.settings import (
    PROGRAMS,
    Machine,
    UnsupportedSettingError,
    settings_of,
)
from tests.conftest import KERNEL, RESOURCES, ROOT

MACHINE = Machine(nr_cpus=4, slice_dfl_ns=20_000_000)


def values(binary, *args):
    return {s.name: s.value for s in settings_of(binary, args, MACHINE)}


def test_defaults():
    assert values("scx_simple") == {}
    assert values("scx_cpu0", "-v") == {}
    assert values("scx_central") == {"central_cpu": 0, "nr_cpu_ids": 4, "slice_ns": 20_000_000}
    assert values("scx_qmap") == {"slice_ns": 20_000_000, "max_tasks": 16384}
    assert values("scx_flatcg") == {"nr_cpus": 4, "cgrp_slice_ns": 20_000_000}


def test_options_are_read_as_getopt_does():
    assert values("scx_simple", "-vf") == {"fifo_sched": 1}
    assert values("scx_central", "-s5000", "-c", "3")["slice_ns"] == 5_000_000
    assert values("scx_central", "-c", "3")["central_cpu"] == 3
    assert values("scx_qmap", "-s", "0x10", "-b", "010", "-HPM", "-N7") == {
        "slice_ns": 16_000,
        "dsp_batch": 8,
        "highpri_boosting": 1,
        "print_dsqs_and_events": 1,
        "print_msgs": 1,
        "max_tasks": 7,
    }
    assert values("scx_qmap", "-s", "1", "-s", "2")["slice_ns"] == 2000
    assert values("scx_flatcg", "-s", "1.5", "-i", "2", "-f") == {
        "nr_cpus": 4,
        "cgrp_slice_ns": 1500,
        "fifo_sched": 1,
    }


@pytest.mark.parametrize(
    ("binary", "args", "reason"),
    [
        ("scx_simple", ["-x"], "option -x not recognized"),
        ("scx_simple", ["now"], "'now' is no option"),
        ("scx_central", ["-s"], "requires argument"),
        ("scx_central", ["-s", "5ms"], "not a whole number"),
        ("scx_central", ["-c", "4"], "CPU 4 is not of this machine"),
        ("scx_qmap", ["-b", str(2**32)], "does not fit into 32 bits"),
        ("scx_qmap", ["-s", str(2**64 - 1)], "more than 64 bits"),
        ("scx_qmap", ["-I"], "SCX_OPS_ALWAYS_ENQ_IMMED"),
        ("scx_qmap", ["-C", "shuffle"], "scx_bpf_cid_override"),
        ("scx_flatcg", ["-s", "nan"], "not a time"),
        ("scx_flatcg", ["-s", "-1"], "not a time"),
        ("scx_userland", [], "not known here"),
        ("scx_rusty", [], "not known here"),
    ],
)
def test_what_cannot_be_followed_is_refused(binary, args, reason):
    with pytest.raises(UnsupportedSettingError, match=re.escape(reason)):
        settings_of(binary, args, MACHINE)


@given(st.sampled_from(sorted(PROGRAMS)), st.lists(st.text(max_size=6), max_size=4))
def test_any_arguments_give_settings_or_a_reason(binary, args):
    try:
        found = settings_of(binary, args, MACHINE)
    except UnsupportedSettingError as error:
        assert str(error)
    else:
        assert all(0 <= s.value < 1 << 64 for s in found)


def test_the_catalogue_s_tree_schedulers_are_known(raw_config):
    schedulers = parse_config(raw_config, ROOT).catalog.schedulers.values()
    for entry in schedulers:
        if entry.source == "tree" and entry.binary in PROGRAMS:
            settings_of(entry.binary, entry.args, MACHINE)


@pytest.fixture(scope="module")
def user_space(tmp_path_factory):
    """The lines of each user-space half, from the kernel's source package."""
    folder = tmp_path_factory.mktemp("source")
    deb = RESOURCES / "kernel" / KERNEL / "source.deb"
    unpack = (
        "dpkg-deb --fsys-tarfile {} | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >{}"
    )
    packed = folder / "source.tar.xz"
    subprocess.run(unpack.format(deb, packed), shell=True, check=True)
    found = {}
    with tarfile.open(packed, "r|xz") as tar:
        for member in tar:
            if match := re.search(r"/tools/sched_ext/(scx_\w+\.c)$", member.name):
                found[match[1]] = tar.extractfile(member).read().decode().splitlines()
            elif found and "/tools/sched_ext" not in member.name:
                break
    return found


def test_cited_lines_are_the_ones(user_space):
    """A new kernel moves lines and adds options: then the tables are to be read again."""
    for binary, program in PROGRAMS.items():
        lines = user_space[f"{binary}.c"]
        for default in program.defaults:
            assert default.name in cited(lines, default.where)
        for letter, option in program.options.items():
            line = cited(lines, option.where)
            assert option.name in line if option.name else line.strip()
            above = "\n".join(lines[: line_number(option.where)])
            assert above.rpartition("case '")[2].startswith(letter), option
        (letters,) = re.findall(r'getopt\(argc, argv, "([^"]*)"', "\n".join(lines))
        expected = {k + (":" if o.argument else "") for k, o in program.options.items()}
        assert set(re.findall(r"[A-Za-z]:?", letters)) - {"h"} == expected


def line_number(where):
    return int(where.split(":")[1])


def cited(lines, where):
    return lines[line_number(where) - 1]
