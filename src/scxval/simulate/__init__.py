# SPDX-License-Identifier: MIT
"""Simulators: the same scheduler, workload and machine as a run, without a kernel."""
