# SPDX-License-Identifier: MIT
# Simulations. Needs: resources/simulators/, the calibration cells of results/runs/. Makes: results/sim/calibration/,
# results/sim/<simulation>/{status.json,provenance.json,raw/,events.parquet,capability.json}, and
# results/compare/again/<simulation>/ with the same.

AGAIN_DIR = f"{compare_plan.AGAIN}/{SIM_CELL}"
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


use rule simulate as simulate_again with:
    output:
        status=f"{AGAIN_DIR}/status.json",
        provenance=f"{AGAIN_DIR}/provenance.json",
        events=f"{AGAIN_DIR}/events.parquet",
        capability=f"{AGAIN_DIR}/capability.json",
        raw=directory(f"{AGAIN_DIR}/raw"),
    log:
        f"logs/simulate_again/{SIM_CELL}.log",
