# SPDX-License-Identifier: MIT
# What people look at. Needs: every planned cell's files. Makes: results/plan.json, results/inventory.json,
# results/report/.


rule write_plan:
    """The planned cells, and the excluded ones with their reasons."""
    input:
        unpack(plan_files),
    output:
        plan="results/plan.json",
    log:
        "logs/write_plan.log",
    localrule: True
    params:
        plan=plan_json,
    script:
        "../scripts/write_plan.py"


rule take_inventory:
    """Every table that the sweep made, with its digest."""
    input:
        plan="results/plan.json",
        tables=planned_tables,
    output:
        inventory="results/inventory.json",
    log:
        "logs/take_inventory.log",
    localrule: True
    params:
        code=code("inventory.py"),
        runs=here(compare_plan.RUNS),
        simulations=here(compare_plan.SIMULATIONS),
    shell:
        """
        python -m scxval.inventory \
            --plan {input.plan:q} \
            --runs {params.runs:q} \
            --simulations {params.simulations:q} \
            --output {output.inventory:q} \
            >{log:q} 2>&1
        """


rule report:
    """One self-contained page over the whole matrix."""
    input:
        plan="results/plan.json",
        inventory="results/inventory.json",
        verdicts=planned_verdicts,
        studies=planned_studies,
    output:
        page=report(
            "results/report/index.html",
            category="Report",
            labels={"page": "everything"},
            caption="../report/page.rst",
        ),
        tables=directory("results/report/tables"),
    log:
        "logs/report.log",
    params:
        code=code(
            "report/*",
            "inventory.py",
            "study/record.py",
            "study/table.py",
            "compare/table.py",
        ),
        runs=here("results/runs"),
        simulations=here("results/sim"),
        agreement=here(agreement_plan.ROOT),
        compare=here(compare_plan.ROOT),
        studies=here(STUDY_ROOT),
        asked=list(CONFIG.studies),
        window_ms=CONFIG.window_ms,
    shell:
        """
        python -m scxval.report \
            --plan {input.plan:q} \
            --runs {params.runs:q} \
            --agreement {params.agreement:q} \
            --compare {params.compare:q} \
            --simulations {params.simulations:q} \
            --studies {params.studies:q} \
            --study {params.asked:q} \
            --window-ms {params.window_ms:q} \
            --output {output.page:q} \
            >{log:q} 2>&1
        """
