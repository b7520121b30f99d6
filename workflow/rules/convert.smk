# SPDX-License-Identifier: MIT
# Raw traces to tables. Needs: results/runs/<cell>/{status.json,raw/}.
# Makes: events.parquet, capability.json and metrics.parquet beside them.


rule convert:
    """One raw trace to the canonical event table and the record of what it could see."""
    input:
        status=f"{RUN_DIR}/status.json",
        raw=f"{RUN_DIR}/raw",
    output:
        events=f"{RUN_DIR}/events.parquet",
        capability=f"{RUN_DIR}/capability.json",
    log:
        f"logs/convert/{RUN_LOG}",
    params:
        code=code("tracers/**/*.py", "formats/*.py", "events/*.py"),
    shell:
        """
        python -m scxval.tracers.convert \
            --status {input.status:q} \
            --raw {input.raw:q} \
            --events {output.events:q} \
            --capability {output.capability:q} \
            >{log:q} 2>&1
        """


rule measure:
    """Metrics of one cell, from its event table and from what its workload says of itself."""
    input:
        status=f"{RUN_DIR}/status.json",
        raw=f"{RUN_DIR}/raw",
        events=f"{RUN_DIR}/events.parquet",
        capability=f"{RUN_DIR}/capability.json",
        workload=workload_file,
    output:
        metrics=f"{RUN_DIR}/metrics.parquet",
    log:
        f"logs/measure/{RUN_LOG}",
    params:
        code=code("events/**/*.py", "catalog/rtapp.py"),
        cpus=machine_cpus,
        result=workload_result,
    shell:
        """
        python -m scxval.events.metrics \
            --events {input.events:q} \
            --capability {input.capability:q} \
            --status {input.status:q} \
            --workload {input.workload:q} \
            --cpus {params.cpus:q} \
            --raw {input.raw:q} \
            --result {params.result:q} \
            --output {output.metrics:q} \
            >{log:q} 2>&1
        """
