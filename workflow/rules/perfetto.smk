# SPDX-License-Identifier: MIT
# Traces for the Perfetto UI. Needs: results/runs/, results/sim/. Makes: results/report/perfetto/. Only for
# the target `perfetto`: they are several times as large as the tables, and `scxval view` makes one in seconds.


rule export_trace:
    """A run's events as a trace, with the first simulation of the same on its axis."""
    input:
        status=f"{RUN_DIR}/status.json",
        events=f"{RUN_DIR}/events.parquet",
        capability=f"{RUN_DIR}/capability.json",
        simulation=simulated_beside,
    output:
        trace=f"results/report/perfetto/{RUN_PATH}.pftrace",
    log:
        f"logs/perfetto/{RUN_LOG}",
    params:
        code=code(
            "perfetto/*.py",
            "events/**/*.py",
            "formats/compiled.py",
            "report/text.py",
        ),
        run=subpath(input.status, parent=True),
        simulation=simulation_folder,
    shell:
        """
        python -m scxval.perfetto \
            --run {params.run:q} \
            --simulation {params.simulation:q} \
            --output {output.trace:q} \
            >{log:q} 2>&1
        """


rule perfetto:
    input:
        planned_traces,
