# SPDX-License-Identifier: MIT
"""Damaged versions of real captures, and what must hold of every converter on each of them."""
