# SPDX-License-Identifier: MIT
# What really works here. Needs: the guest's files. Makes: resources/probe/.


checkpoint probe:
    """Prove each accelerator by booting a guest."""
    input:
        **booted(configured_kernels()[0]),
    output:
        accelerator="resources/probe/accelerator.json",
    log:
        "logs/probe.log",
    threads: 2
    resources:
        vm_slots=1,
        mem_mb=1024,
    params:
        code=code("probe/accelerator.py", "vm/launch.py", "vm/qemu.py"),
    message:
        "Prove each accelerator by booting a guest: usually 30 s"
    shell:
        """
        python -m scxval.probe.accelerator \
            --kernel {input.kernel:q} \
            --initramfs {input.initramfs:q} \
            --image {input.image:q} \
            --output {output.accelerator:q} \
            >{log:q} 2>&1
        """


rule probe_scheduler:
    """Whether one scheduler attaches, runs and detaches on one kernel with so many CPUs."""
    input:
        unpack(kernel_guest),
        accelerator="resources/probe/accelerator.json",
        scheduler=scheduler_on_kernel,
        files=scheduler_files,
    output:
        record="resources/probe/schedulers/{kernel}/{vcpus}/{scheduler}.json",
    log:
        "logs/probe_scheduler/{kernel}/{vcpus}/{scheduler}.log",
    threads: probe_vcpus
    resources:
        vm_slots=1,
        mem_mb=1024,
    params:
        code=code("agent/*", "probe/scheduler.py", "vm/*.py"),
        entry=scheduler_json,
        limits=LIMITS,
    message:
        "Try {wildcards.scheduler} on {wildcards.kernel} with {wildcards.vcpus} CPUs: usually 15 s"
    shell:
        """
        python -m scxval.probe.scheduler \
            --scheduler {params.entry:q} \
            --kernel-name {wildcards.kernel:q} \
            --vcpus {wildcards.vcpus:q} \
            --kernel {input.kernel:q} \
            --initramfs {input.initramfs:q} \
            --image {input.image:q} \
            --accelerators {input.accelerator:q} \
            --binary {input.scheduler:q} \
            --files {input.files:q} \
            --limits {params.limits:q} \
            --output {output.record:q} \
            >{log:q} 2>&1
        """


checkpoint probed:
    """The records that a configuration needs as one matrix; the plan is made once it is there.

    Named by what was asked for, so that another configuration's matrix never passes for this one's.
    """
    input:
        records=probed_records,
    output:
        matrix="resources/probe/compatibility/{probes}.json",
        table="resources/probe/compatibility/{probes}.md",
    log:
        "logs/probed/{probes}.log",
    params:
        code=code("catalog/compatibility.py"),
    shell:
        """
        python -m scxval.catalog.compatibility \
            --output {output.matrix:q} \
            --table {output.table:q} \
            {input.records:q} \
            >{log:q} 2>&1
        """


rule compatibility:
    """The matrix of this configuration under a name of its own."""
    input:
        matrix=probed_matrix,
        table=probed_table,
    output:
        matrix="resources/probe/compatibility.json",
        table="resources/probe/compatibility.md",
    log:
        "logs/compatibility.log",
    shell:
        """
        cp {input.matrix:q} {output.matrix:q} 2>{log:q}
        cp {input.table:q} {output.table:q} 2>>{log:q}
        """


rule snapshot:
    """The state of a booted guest, for machines that go on from one."""
    input:
        unpack(machine_guest),
    output:
        state="resources/snapshot/{machine}/state",
        record="resources/snapshot/{machine}/state.json",
    log:
        "logs/snapshot/{machine}.log",
    threads: machine_vcpus
    resources:
        vm_slots=1,
        mem_mb=machine_memory,
    params:
        code=code("agent/*", "vm/snapshot.py", "vm/qemu.py", "vm/launch.py"),
        machine=machine_json,
        qemu=qemu_version,
        limit_s=CONFIG.limits.boot_s,
    message:
        "Boot {wildcards.machine} once and save its state: usually 15 s"
    shell:
        """
        python -m scxval.vm.snapshot \
            --machine {params.machine:q} \
            --kernel {input.kernel:q} \
            --initramfs {input.initramfs:q} \
            --image {input.image:q} \
            --limit-s {params.limit_s:q} \
            --output {output.state:q} \
            --record {output.record:q} \
            >{log:q} 2>&1
        """
