# SPDX-License-Identifier: MIT
"""`python -m scxval`: the same as the `scxval` command."""

import sys

from scxval.cli import main

sys.exit(main())
