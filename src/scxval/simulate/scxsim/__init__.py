# SPDX-License-Identifier: MIT
"""An external scxsim binary: what it is and can (probe), one run of it (run), what its end means (ends)."""

from scxval.simulate.scxsim.run import simulate

__all__ = ["simulate"]
