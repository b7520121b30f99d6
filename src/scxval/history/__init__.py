# SPDX-License-Identifier: MIT
"""Results over many nights: a store that is only added to, change points, and the page that shows them."""
