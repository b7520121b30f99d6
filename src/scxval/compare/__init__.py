# SPDX-License-Identifier: MIT
"""Whether two groups of runs agree: event by event, and as numbers with the run as the unit."""
