# SPDX-License-Identifier: MIT
# Verdicts over groups of runs. Needs: every file of the runs and simulations compared but raw/. Makes:
# results/compare/<family>/<pair>/pair.json (with alignment.parquet and
# divergence.svg beside it where there are events), results/compare/<family>/verdicts.{json,parquet,csv}.

FAMILY_DIR = f"{compare_plan.ROOT}/{{family}}"


rule compare_pair:
    """What two groups of runs say of each other; nothing is judged before all of the family are there."""
    input:
        unpack(pair_files),
    output:
        pair=f"{FAMILY_DIR}/{{pair}}/pair.json",
    log:
        "logs/compare_pair/{family}/{pair}.log",
    params:
        code=code(
            "compare/**/*.py",
            "events/**/*.py",
            "formats/compiled.py",
            "catalog/comparison.py",
            "catalog/rtapp.py",
            but=(
                "compare/command.py",
                "compare/family.py",
                "compare/named.py",
                "compare/plan.py",
                "compare/table.py",
                "compare/text.py",
            ),
        ),
        spec=pair_json,
        folder=subpath(output.pair, parent=True),
    shell:
        """
        python -m scxval.compare.pair \
            --spec {params.spec:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """


rule compare_family:
    """The verdicts of all pairs of a family, with its controls."""
    input:
        plan="results/plan.json",
        pairs=family_pairs,
    output:
        verdicts=f"{FAMILY_DIR}/verdicts.json",
        table=f"{FAMILY_DIR}/verdicts.parquet",
        text=report(
            f"{FAMILY_DIR}/verdicts.csv",
            category="Verdicts",
            labels={"family": "{family}"},
            caption="../report/verdicts.rst",
        ),
    log:
        "logs/compare_family/{family}.log",
    params:
        code=code(
            "compare/family.py",
            "compare/record.py",
            "compare/table.py",
            "compare/verdict.py",
            "compare/statistics/*.py",
            "catalog/comparison.py",
        ),
        compare=COMPARE,
        folder=subpath(output.verdicts, parent=True),
    shell:
        """
        python -m scxval.compare.family \
            --family {wildcards.family:q} \
            --plan {input.plan:q} \
            --compare {params.compare:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """
