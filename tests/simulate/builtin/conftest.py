# SPDX-License-Identifier: MIT
"""The checked library, for tests of the shim function by function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulate.builtin.checked import Checked


@pytest.fixture(scope="session")
def checked(libraries: Path) -> Callable[..., Checked]:
    """Makes a fresh instance of the checked library: `checked(nr_cpus)`."""
    return lambda nr_cpus=4: Checked(libraries / "checked.so", nr_cpus)
