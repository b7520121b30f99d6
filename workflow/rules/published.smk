# SPDX-License-Identifier: MIT
# The published study. Needs: the folder of `published`, which is checked before anything of it is used. Makes:
# results/rebuilt/ from its archive alone, or results/remeasured/ from new runs; the target `published` says
# what either came to and fails when it is not what was published.

MADE_AGAIN = {False: "results/rebuilt", True: "results/remeasured"}[CONFIG.remeasure]


rule rebuild_published:
    """The published tables and figures once more, compared byte for byte; no machine is started."""
    input:
        archive=published_file("runs.tar.xz"),
        sums=published_file("SHA256SUMS"),
    output:
        record="results/rebuilt/record.json",
    log:
        "logs/rebuild_published.log",
    threads: workflow.cores
    params:
        code=checkout,
        published=subpath(input.sums, parent=True),
    message:
        "Make the published tables and figures from their archive: usually 4 minutes on 2 cores"
    shell:
        """
        python -m scxval.published rebuild \
            --published {params.published:q} \
            --cores {threads} \
            --output {output.record:q} \
            >{log:q} 2>&1
        """


rule remeasure_published:
    """The published runs once more, and whether they say what was claimed."""
    input:
        archive=published_file("runs.tar.xz"),
        sums=published_file("SHA256SUMS"),
    output:
        record="results/remeasured/record.json",
        claims=report(
            "results/remeasured/claims.csv",
            category="Published study",
            labels={"what": "claims"},
            caption="../report/claims.rst",
        ),
    log:
        "logs/remeasure_published.log",
    threads: workflow.cores
    resources:
        vm_slots=1,
    params:
        code=checkout,
        published=subpath(input.sums, parent=True),
    message:
        "Measure the published runs again: usually 30 s each"
    shell:
        """
        python -m scxval.published remeasure \
            --published {params.published:q} \
            --cores {threads} \
            --output {output.record:q} \
            >{log:q} 2>&1
        """


rule published:
    """Say what is as it was published; fail when it is not."""
    input:
        record=f"{MADE_AGAIN}/record.json",
    log:
        "logs/published.log",
    shell:
        """
        python -m scxval.published say {input.record:q} --log {log:q}
        """
