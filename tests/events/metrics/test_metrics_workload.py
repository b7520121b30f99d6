# SPDX-License-Identifier: MIT
"""The thread names of an rt-app file."""

from __future__ import annotations

import json

import pytest

from scxval.errors import ScxvalError
from scxval.events.metrics import rtapp_comms


def write(path, tasks):
    path.write_text(json.dumps({"global": {}, "tasks": tasks}))
    return path


def test_both_ways_of_naming_with_one_index_over_all_instances(tmp_path):
    file = write(tmp_path / "w.json", {"hog": {"instance": 2, "run": 1}, "per": {"run": 1}})
    assert rtapp_comms(file) == {"hog", "hog-0", "hog-1", "per", "per-2"}


def test_a_name_that_the_kernel_would_not_take_with_its_index(tmp_path):
    # pthread_setname_np takes 15 bytes: the task's own name fits, with "-0" it cannot be set.
    file = write(tmp_path / "w.json", {"fifteen_bytes_x": {"run": 1}})
    assert rtapp_comms(file) == {"fifteen_bytes_x"}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"sixteen_bytes_xx": {"run": 1}}, "more than 15 bytes"),
        ({"ä" * 8: {"run": 1}}, "more than 15 bytes"),
        ({"a": {"instance": "two"}}, "`instance` must be a number, not 'two'"),
        ({"a": {"instance": -1}}, "`instance` must be"),
        ({}, "no `tasks`"),
        ([], "no `tasks`"),
    ],
)
def test_bad_files_are_one_line(tmp_path, tasks, message):
    with pytest.raises(ScxvalError, match=message) as caught:
        rtapp_comms(write(tmp_path / "w.json", tasks))
    assert "w.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(ScxvalError, match="cannot read workload"):
        rtapp_comms(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ScxvalError, match="not an rt-app file"):
        rtapp_comms(tmp_path / "broken.json")
