# SPDX-License-Identifier: MIT
# Simulations. Needs: resources/simulators/, the calibration cells of results/runs/. Makes: results/sim/calibration/,
# results/sim/<simulation>/{status.json,provenance.json,raw/,events.parquet,capability.json,metrics.parquet}.

SIM_CELL = "{simulator}/{scheduler}/{workload}/{machine}/seed{seed}"
SIM_DIR = f"results/sim/{SIM_CELL}"
CALIBRATION = "results/sim/calibration/{machine}.json"


rule calibrate:
    """A machine's parameters, from a traced run on it."""
    input:
        unpack(calibration_files),
        workload=calibration_workload,
    output:
        parameters=CALIBRATION,
    log:
        "logs/calibrate/{machine}.log",
    params:
        code=code("simulate/calibrate.py", "simulate/parameters.py"),
        cell=calibration_path,
        why=calibration_missing,
        run=calibration_folder,
        given=given_parameters,
    shell:
        """
        python -m scxval.simulate.calibrate \
            --machine {wildcards.machine:q} \
            --cell {params.cell:q} \
            --why {params.why:q} \
            --run {params.run:q} \
            --workload {input.workload:q} \
            --given {params.given:q} \
            --output {output.parameters:q} \
            >{log:q} 2>&1
        """


rule simulate:
    """One simulation; trouble in it is an outcome, not a failed job."""
    input:
        parameters=CALIBRATION,
        library=simulated_library,
        workload=workload_file,
        binary=simulator_binary,
    output:
        status=f"{SIM_DIR}/status.json",
        provenance=f"{SIM_DIR}/provenance.json",
        events=f"{SIM_DIR}/events.parquet",
        capability=f"{SIM_DIR}/capability.json",
        raw=directory(f"{SIM_DIR}/raw"),
    log:
        f"logs/simulate/{SIM_CELL}.log",
    params:
        code=code("simulate/**/*.py", "formats/scxsim/*.py", "events/*.py"),
        spec=simulation_json,
        folder=subpath(output.status, parent=True),
    shell:
        """
        python -m scxval.simulate \
            --spec {params.spec:q} \
            --workload {input.workload:q} \
            --parameters {input.parameters:q} \
            --library {input.library:q} \
            --output {params.folder:q} \
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
