# SPDX-License-Identifier: MIT
# Questions over several readings of a run. Needs: results/runs/<cell>/status.json and parts/. Makes: results/study/.

PAIR_DIR = f"{{first}}{compare_plan.VERSUS}{{second}}"
SAME_RUN = "same_run/{scheduler}/{workload}/{tracer}/{isolation}/{machine}/rep{rep}"


rule agreement_same_run:
    """What two tracers of one run agree on, event by event."""
    input:
        status=f"{RUN_DIR}/status.json",
        events_a=f"{RUN_DIR}/parts/{{first}}/events.parquet",
        events_b=f"{RUN_DIR}/parts/{{second}}/events.parquet",
        capability_a=f"{RUN_DIR}/parts/{{first}}/capability.json",
        capability_b=f"{RUN_DIR}/parts/{{second}}/capability.json",
    output:
        record=f"{agreement_plan.ROOT}/{SAME_RUN}/{PAIR_DIR}/agreement.json",
        pairs=f"{agreement_plan.ROOT}/{SAME_RUN}/{PAIR_DIR}/pairs.parquet",
    log:
        f"logs/agreement/{SAME_RUN}/{PAIR_DIR}.log",
    params:
        code=code(
            "study/agreement*.py",
            "events/*.py",
            "compare/clock.py",
            "compare/verdict.py",
        ),
        limits=AGREEMENT,
    shell:
        """
        python -m scxval.study.agreement \
            --names {wildcards.first:q} {wildcards.second:q} \
            --events {input.events_a:q} {input.events_b:q} \
            --capability {input.capability_a:q} {input.capability_b:q} \
            --status {input.status:q} \
            --limits {params.limits:q} \
            --output {output.record:q} \
            --pairs {output.pairs:q} \
            >{log:q} 2>&1
        """
