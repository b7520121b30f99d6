# SPDX-License-Identifier: MIT
"""The canonical event table, its capability record, and the metrics computed from them."""
