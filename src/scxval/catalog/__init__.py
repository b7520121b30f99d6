# SPDX-License-Identifier: MIT
"""What can be run: schedulers, workloads, tracers, isolations, machines, and the matrix over them."""
