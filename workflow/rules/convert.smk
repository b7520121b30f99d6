# SPDX-License-Identifier: MIT
# Raw traces to tables. Needs: results/runs/<cell>/{status.json,raw/}.
# Makes: events.parquet, capability.json and metrics.parquet beside them; with several tracers, parts/;
# with a sampler of statistics, stats.parquet.

CONVERTING = code("tracers/**/*.py", "formats/**/*.py", "events/*.py")


rule convert:
    """One raw trace to the canonical event table and the record of what it could see."""
    input:
        status=f"{RUN_DIR}/status.json",
        # status.json has a digest of each file in it.
        raw=ancient(f"{RUN_DIR}/raw"),
    output:
        events=f"{RUN_DIR}/events.parquet",
        capability=f"{RUN_DIR}/capability.json",
    log:
        f"logs/convert/{RUN_LOG}",
    wildcard_constraints:
        tracer=ONE_TRACER,
    params:
        code=CONVERTING,
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.tracers.convert \
            --status {input.status:q} \
            --raw {input.raw:q} \
            --events {output.events:q} \
            --capability {output.capability:q} \
            >{log:q} 2>&1
        """


rule convert_part:
    """The raw trace of one of several tracers of a run."""
    input:
        status=f"{RUN_DIR}/status.json",
        # status.json has a digest of each file in it.
        raw=ancient(f"{RUN_DIR}/raw"),
    output:
        events=f"{RUN_DIR}/parts/{{part}}/events.parquet",
        capability=f"{RUN_DIR}/parts/{{part}}/capability.json",
    log:
        f"logs/convert_part/{{part}}/{RUN_LOG}",
    wildcard_constraints:
        tracer=SEVERAL_TRACERS,
    params:
        code=CONVERTING,
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.tracers.convert \
            --status {input.status:q} \
            --raw {input.raw:q} \
            --part {wildcards.part:q} \
            --events {output.events:q} \
            --capability {output.capability:q} \
            >{log:q} 2>&1
        """


rule choose_part:
    """Of several tracers, the first that makes events gives the cell's own table."""
    input:
        unpack(cell_part),
    output:
        events=f"{RUN_DIR}/events.parquet",
        capability=f"{RUN_DIR}/capability.json",
    log:
        f"logs/choose_part/{RUN_LOG}",
    wildcard_constraints:
        tracer=SEVERAL_TRACERS,
    shell:
        """
        cp {input.events:q} {output.events:q} 2>{log:q}
        cp {input.capability:q} {output.capability:q} 2>>{log:q}
        """


rule stats:
    """What a scheduler says of itself over time, sampled beside the tracers or alone."""
    input:
        status=f"{RUN_DIR}/status.json",
        # status.json has a digest of each file in it.
        raw=ancient(f"{RUN_DIR}/raw"),
    output:
        stats=f"{RUN_DIR}/stats.parquet",
    log:
        f"logs/stats/{RUN_LOG}",
    params:
        code=CONVERTING,
        part=stats_part,
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.tracers.scx_stats.cell \
            --status {input.status:q} \
            --raw {input.raw:q} \
            --part {params.part:q} \
            --output {output.stats:q} \
            >{log:q} 2>&1
        """


rule measure:
    """Metrics of one cell, from its event table and from what its workload says of itself."""
    input:
        status=f"{RUN_DIR}/status.json",
        # status.json has a digest of each file in it.
        raw=ancient(f"{RUN_DIR}/raw"),
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


rule measure_simulation:
    """Metrics of one simulation, from its event table; a simulation has no logs of rt-app's."""
    input:
        status=f"{SIM_DIR}/status.json",
        events=f"{SIM_DIR}/events.parquet",
        capability=f"{SIM_DIR}/capability.json",
        workload=workload_file,
    output:
        metrics=f"{SIM_DIR}/metrics.parquet",
    log:
        f"logs/measure_simulation/{SIM_CELL}.log",
    params:
        code=code("events/**/*.py", "catalog/rtapp.py"),
        cpus=machine_cpus,
    shell:
        """
        python -m scxval.events.metrics \
            --events {input.events:q} \
            --capability {input.capability:q} \
            --status {input.status:q} \
            --workload {input.workload:q} \
            --cpus {params.cpus:q} \
            --output {output.metrics:q} \
            >{log:q} 2>&1
        """
