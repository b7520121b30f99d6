# SPDX-License-Identifier: MIT
"""What groups of runs say of each other: one number a run, the run being the unit (docs/method.md)."""
