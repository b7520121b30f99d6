# SPDX-License-Identifier: MIT
# What machines look at, and what nights leave. Needs: every planned cell's files. Makes: results/summary.json,
# results/gate.json, results/history/, results/report/trend.html, and adds to the store that history.store names.


rule summary:
    """How the sweep ended: outcomes, verdicts, studies, versions."""
    input:
        plan="results/plan.json",
        inventory="results/inventory.json",
        verdicts=planned_verdicts,
        studies=planned_studies,
    output:
        summary="results/summary.json",
    log:
        "logs/summary.log",
    localrule: True
    params:
        code=code("summary.py", "history/readings.py", "study/record.py"),
        compare=COMPARE,
        runs=here(compare_plan.RUNS),
        simulations=here(compare_plan.SIMULATIONS),
        compared=here(compare_plan.ROOT),
        studies=here(STUDY_ROOT),
    shell:
        """
        python -m scxval.summary \
            --plan {input.plan:q} \
            --runs {params.runs:q} \
            --simulations {params.simulations:q} \
            --compare-root {params.compared:q} \
            --studies {params.studies:q} \
            --compare {params.compare:q} \
            --output {output.summary:q} \
            >{log:q} 2>&1
        """


rule judge:
    """What is beyond the configuration's thresholds; said, not failed for."""
    input:
        summary="results/summary.json",
        history=gated_history,
    output:
        verdict="results/gate.json",
    log:
        "logs/judge.log",
    localrule: True
    params:
        code=code("gate.py"),
        settings=GATE,
    shell:
        """
        python -m scxval.gate judge \
            --summary {input.summary:q} \
            --settings {params.settings:q} \
            --history {input.history:q} \
            --output {output.verdict:q} \
            >{log:q} 2>&1
        """


rule gate:
    """Fail, with the reasons, when anything is beyond the thresholds."""
    input:
        "results/gate.json",
    log:
        "logs/gate.log",
    localrule: True
    shell:
        """
        python -m scxval.gate check {input:q} >{log:q} 2>&1
        """


rule history:
    """Add these runs to the store, and draw what all nights in it show."""
    input:
        plan="results/plan.json",
        inventory="results/inventory.json",
    output:
        page="results/report/trend.html",
        record="results/history/history.json",
        table="results/history/changes.parquet",
        text="results/history/changes.csv",
    log:
        "logs/history.log",
    localrule: True
    params:
        code=code(
            "history/*",
            "report/style.css.j2",
            "report/templates.py",
            "report/text.py",
            "compare/clocks.py",
            "catalog/comparison.py",
            "events/metrics/*.py",
            but=("history/study.py",),
        ),
        compare=COMPARE,
        settings=HISTORY,
        runs=here(compare_plan.RUNS),
        folder=subpath(output.record, parent=True),
    shell:
        """
        python -m scxval.history \
            --plan {input.plan:q} \
            --runs {params.runs:q} \
            --compare {params.compare:q} \
            --settings {params.settings:q} \
            --page {output.page:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """
