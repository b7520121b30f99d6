# SPDX-License-Identifier: MIT
"""Runs cells: the job handed to the guest, the launcher, the verdict on how it ended, provenance."""
