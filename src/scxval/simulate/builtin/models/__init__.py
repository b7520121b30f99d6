# SPDX-License-Identifier: MIT
"""Policies in Python in place of schedulers whose own code cannot be run (scxval.simulate.builtin.model)."""
