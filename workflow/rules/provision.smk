# SPDX-License-Identifier: MIT
# What guests are made of. Needs: a Debian mirror, and the crate registry for crates.
# Makes: resources/{kernel,guest,buildroot,schedulers}/, each with a lock.txt of exact versions.

# What is too large for a checksum of Snakemake's is an input by its lock, which is written with it: `ancient`
# leaves its own time out.
BUILD_ROOT = "resources/buildroot/root.tar"
BUILD_ROOT_LOCK = "resources/buildroot/lock.txt"


rule kernel:
    """A guest kernel with sched_ext and its initramfs, from Debian packages."""
    output:
        kernel=f"{KERNEL}/vmlinux",
        initramfs=f"{KERNEL}/initramfs.cpio",
        source=f"{KERNEL}/source.deb",
        lock=KERNEL_LOCK,
    log:
        "logs/kernel/{kernel}.log",
    localrule: True
    params:
        code=code(
            "provision/kernel.py", "provision/mmdebstrap.py", "provision/settings.py"
        ),
        settings=PROVISION,
        suite=kernel_suite,
        version=kernel_version,
        meant=shipped("envs/{kernel}.lock"),
        folder=subpath(output.kernel, parent=True),
    message:
        "Guest kernel {wildcards.kernel} and its initramfs, from Debian packages: usually 20 s"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --also {params.meant:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.kernel \
            --settings {params.settings:q} \
            --suite {params.suite:q} \
            --version {params.version:q} \
            --output {params.folder:q} \
            --lock {params.meant:q} \
            >{log:q} 2>&1
        """


rule kernel_functions:
    """The kernel's functions, by its own type information: tracers choose their probes by them."""
    input:
        kernel=ancient(f"{KERNEL}/vmlinux"),
        lock=KERNEL_LOCK,
    output:
        functions=f"{KERNEL}/functions.txt",
    log:
        "logs/kernel_functions/{kernel}.log",
    localrule: True
    params:
        code=code("tracers/btf.py", "formats/btf.py"),
    shell:
        """
        python -m scxval.tracers.btf {input.kernel:q} --output {output.functions:q} >{log:q} 2>&1
        """


rule guest_image:
    """Guest root file system with the programs of workloads and tracers."""
    input:
        packages=shipped("envs/guest.packages"),
    output:
        image=IMAGE,
        lock=IMAGE_LOCK,
    log:
        "logs/guest_image.log",
    localrule: True
    params:
        code=code(
            "provision/image.py", "provision/mmdebstrap.py", "provision/settings.py"
        ),
        settings=PROVISION,
        meant=shipped("envs/guest.lock"),
    message:
        "Guest root file system with the programs of workloads and tracers: usually 70 s"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --also {params.meant:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.image guest \
            --settings {params.settings:q} \
            --packages {input.packages:q} \
            --output {output.image:q} \
            --used {output.lock:q} \
            --lock {params.meant:q} \
            >{log:q} 2>&1
        """


rule build_root:
    """Root with the compilers that schedulers are built by."""
    input:
        packages=shipped("envs/buildroot.packages"),
    output:
        root=BUILD_ROOT,
        lock=BUILD_ROOT_LOCK,
    log:
        "logs/build_root.log",
    localrule: True
    params:
        code=code(
            "provision/image.py", "provision/mmdebstrap.py", "provision/settings.py"
        ),
        settings=PROVISION,
        meant=shipped("envs/buildroot.lock"),
    message:
        "Root with the compilers that schedulers are built by: usually 60 s"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --also {params.meant:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.image build-root \
            --settings {params.settings:q} \
            --packages {input.packages:q} \
            --output {output.root:q} \
            --used {output.lock:q} \
            --lock {params.meant:q} \
            >{log:q} 2>&1
        """


rule tree_schedulers:
    """The kernel source's own sched_ext schedulers, built for the guest kernel's BTF."""
    input:
        root=ancient(BUILD_ROOT),
        kernel=ancient(f"{KERNEL}/vmlinux"),
        source=ancient(f"{KERNEL}/source.deb"),
        locks=[BUILD_ROOT_LOCK, KERNEL_LOCK],
    output:
        expand("resources/schedulers/tree/{{kernel}}/{name}", name=tree_names()),
    log:
        "logs/tree_schedulers/{kernel}.log",
    localrule: True
    params:
        code=code("provision/schedulers.py", "provision/mmdebstrap.py"),
        settings=PROVISION,
        names=tree_names(),
        kernel=subpath(input.kernel, parent=True),
        folder=subpath(output[0], parent=True),
    message:
        "The sched_ext schedulers of the source of {wildcards.kernel}: usually 50 s"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.schedulers \
            --settings {params.settings:q} \
            --root {input.root:q} \
            tree \
            --kernel {params.kernel:q} \
            --names {params.names:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """


rule simulated_schedulers:
    """The kernel source's own schedulers as native libraries, for the built-in simulator."""
    input:
        root=ancient(BUILD_ROOT),
        kernel=ancient(f"{KERNEL}/vmlinux"),
        source=ancient(f"{KERNEL}/source.deb"),
        locks=[BUILD_ROOT_LOCK, KERNEL_LOCK],
    output:
        expand("resources/simulators/{{kernel}}/{name}.json", name=tree_names()),
        "resources/simulators/{kernel}/models.json",
        "resources/simulators/{kernel}/models.so",
        "resources/simulators/{kernel}/checked.so",
    log:
        "logs/simulated_schedulers/{kernel}.log",
    localrule: True
    params:
        code=code(
            "provision/simulators.py",
            "provision/enums.py",
            "provision/mmdebstrap.py",
            "formats/btf.py",
            "simulate/builtin/engine/*",
            "simulate/builtin/shim/**/*",
        ),
        settings=PROVISION,
        names=tree_names(),
        kernel=subpath(input.kernel, parent=True),
        folder=subpath(output[0], parent=True),
    message:
        "Native libraries of the schedulers of the source of {wildcards.kernel}: usually 30 s"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.simulators \
            --settings {params.settings:q} \
            --root {input.root:q} \
            --kernel {params.kernel:q} \
            --names {params.names:q} \
            --output {params.folder:q} \
            >{log:q} 2>&1
        """


rule crate:
    """One sched_ext scheduler or tracer from the Rust registry."""
    input:
        root=ancient(BUILD_ROOT),
        lock=BUILD_ROOT_LOCK,
    output:
        binary="resources/{kind}/crate/{crate}",
        lock="resources/{kind}/crate/{crate}.lock.txt",
    log:
        "logs/crate/{kind}/{crate}.log",
    wildcard_constraints:
        kind="schedulers|tracers",
        crate=r"scx[a-z0-9_]+",
    localrule: True
    # cargo takes every core, and only one build at a time may use what they share.
    threads: workflow.cores
    params:
        code=code("provision/schedulers.py", "provision/mmdebstrap.py"),
        settings=PROVISION,
        version=crate_version,
        meant=shipped("envs/{crate}.lock"),
        # State that cargo keeps up to date by itself, not a result: never an output.
        shared=here("resources/buildroot/crates.tar"),
    message:
        "{wildcards.crate} from the Rust registry: usually 5 minutes on 2 cores, the next ones 1 to 3, scxtop 15"
    shell:
        """
        python -m scxval.cache \
            --code {params.code:q} \
            --inputs {input:q} \
            --also {params.meant:q} \
            --outputs {output:q} \
            -- \
            python -m scxval.provision.schedulers \
            --settings {params.settings:q} \
            --root {input.root:q} \
            crate \
            --name {wildcards.crate:q} \
            --crate-version {params.version:q} \
            --output {output.binary:q} \
            --used {output.lock:q} \
            --lock {params.meant:q} \
            --shared {params.shared:q} \
            >{log:q} 2>&1
        """


use rule crate as crate_of_version with:
    output:
        binary="resources/{kind}/crate/{crate}-{version}",
        lock="resources/{kind}/crate/{crate}-{version}.lock.txt",
    log:
        "logs/crate/{kind}/{crate}-{version}.log",
    wildcard_constraints:
        kind="schedulers",
        crate=r"scx[a-z0-9_]+",
        version=r"\d+\.\d+\.\d+",
    params:
        code=code("provision/schedulers.py", "provision/mmdebstrap.py"),
        settings=PROVISION,
        version="{version}",
        meant=shipped("envs/{crate}-{version}.lock"),
        shared=here("resources/buildroot/crates.tar"),
    message:
        "{wildcards.crate} {wildcards.version} from the Rust registry: usually 1 to 5 minutes on 2 cores"


rule provision:
    input:
        guest=configured_guests(),
        schedulers=configured_schedulers(),
        tracers=configured_tracers(),
        simulators=configured_simulators(),
        probe="resources/probe/compatibility.json",
