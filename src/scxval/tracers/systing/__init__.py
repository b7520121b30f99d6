# SPDX-License-Identifier: MIT
"""systing: traces from elsewhere are converted; scxval does not run it."""

RAW_FILE = ""
