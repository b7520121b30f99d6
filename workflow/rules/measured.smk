# SPDX-License-Identifier: MIT
# What makes runs and simulations anew. With `runs: archived` none of these rules exists, so that none can start.

if not CONFIG.archived:

    include: "provision.smk"
    include: "probe.smk"
    include: "run.smk"
    include: "simulate.smk"
