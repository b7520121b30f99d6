# SPDX-License-Identifier: MIT
# Questions over several readings of a run, and over the whole matrix. Needs: results/runs/, results/sim/,
# results/compare/. Makes: results/study/agreement/, results/study/<study>/ and a target for each study.

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


rule make_study:
    """The answer to one question over the whole matrix, with its figure and tables."""
    input:
        plan="results/plan.json",
        inventory="results/inventory.json",
        verdicts=study_verdicts,
    output:
        record=f"{STUDY_ROOT}/{{study}}/study.json",
        figure=report(
            f"{STUDY_ROOT}/{{study}}/figure.svg",
            category="Studies",
            labels={"study": "{study}", "what": "figure"},
            caption="../report/study.rst",
        ),
        table=f"{STUDY_ROOT}/{{study}}/findings.parquet",
        text=report(
            f"{STUDY_ROOT}/{{study}}/findings.csv",
            category="Studies",
            labels={"study": "{study}", "what": "findings"},
            caption="../report/study.rst",
        ),
    log:
        "logs/study/{study}.log",
    params:
        code=code(
            "study/*.py",
            "compare/**/*.py",
            "events/**/*.py",
            "simulate/sequences.py",
            "catalog/comparison.py",
        ),
        compare=COMPARE,
        settings=STUDY,
        runs=here(compare_plan.RUNS),
        simulations=here(compare_plan.SIMULATIONS),
        compared=here(compare_plan.ROOT),
        agreement=here(agreement_plan.ROOT),
        folder=subpath(output.record, parent=True),
    shell:
        """
        python -m scxval.study \
            --study {wildcards.study:q} \
            --plan {input.plan:q} \
            --runs {params.runs:q} \
            --simulations {params.simulations:q} \
            --compare-root {params.compared:q} \
            --agreement {params.agreement:q} \
            --compare {params.compare:q} \
            --settings {params.settings:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """


for study in STUDIES:

    rule:
        name:
            study
        input:
            f"{STUDY_ROOT}/{study}/study.json",
