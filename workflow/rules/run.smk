# SPDX-License-Identifier: MIT
# Cells on real kernels. Needs: resources/, and with a budget the history. Makes:
# results/runs/<cell>/{status.json,provenance.json,raw/}, and with a budget results/budget.json.


checkpoint choose:
    """Which cells the budget pays for. Made anew for another matrix or budget, or when it was removed."""
    input:
        probe="resources/probe/accelerator.json",
        compatibility=probed_matrix,
    output:
        # What is there stays as long as it answers the question: a sweep goes on with the cells that it has.
        choice=update(BUDGET),
    log:
        "logs/choose.log",
    localrule: True
    params:
        asked=budget_question,
        store=here(CONFIG.history.store),
        runs=here(compare_plan.RUNS),
    script:
        "../scripts/choose.py"


rule run_cell:
    """Run one cell in a fresh virtual machine; trouble in it is an outcome, not a failed job."""
    input:
        unpack(machine_guest),
        state=machine_state,
        functions=machine_functions,
        scheduler=scheduler_on_machine,
        tracers=tracer_binaries,
        workload=workload_file,
    output:
        status=f"{RUN_DIR}/status.json",
        provenance=f"{RUN_DIR}/provenance.json",
        raw=directory(f"{RUN_DIR}/raw"),
    log:
        f"logs/run_cell/{RUN_LOG}",
    priority: run_priority
    threads: machine_vcpus
    resources:
        vm_slots=1,
        mem_mb=machine_memory,
        runtime=run_minutes(),
    params:
        code=code("agent/*", "vm/*.py", but=WHERE),
        tracer_code=tracer_code,
        spec=spec_json,
        folder=subpath(output.status, parent=True),
    shell:
        """
        python -m scxval.vm.run_cell \
            --spec {params.spec:q} \
            --kernel {input.kernel:q} \
            --initramfs {input.initramfs:q} \
            --image {input.image:q} \
            --state {input.state:q} \
            --functions {input.functions:q} \
            --scheduler {input.scheduler:q} \
            --tracers {input.tracers:q} \
            --workload {input.workload:q} \
            --output {params.folder:q} \
            --parent $PPID \
            >{log:q} 2>&1
        """
