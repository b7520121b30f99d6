# SPDX-License-Identifier: MIT
# What really works here. Needs: the guest's files. Makes: resources/probe/.


checkpoint probe:
    """Prove each accelerator by booting a guest."""
    input:
        **guest_files(configured_kernels()[0]),
    output:
        accelerator="resources/probe/accelerator.json",
    log:
        "logs/probe.log",
    threads: 2
    resources:
        vm_slots=1,
        mem_mb=1024,
    params:
        code=code("vm/probe.py", "vm/launch.py", "vm/qemu.py"),
    message:
        "Prove each accelerator by booting a guest: usually 30 s"
    shell:
        """
        python -m scxval.vm.probe \
            --kernel {input.kernel:q} \
            --initramfs {input.initramfs:q} \
            --image {input.image:q} \
            --output {output.accelerator:q} \
            >{log:q} 2>&1
        """
