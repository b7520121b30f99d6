# SPDX-License-Identifier: MIT
# What one job is made from and what it takes: of one cell, simulation or pair, one guest, one scheduler.
# Needs: common.smk, plan.smk. Makes: names only, no files.


def published_file(name):
    """A file of the published study."""
    return outside(CONFIG.published / name)


def checkout(wildcards):
    """Digest of all of this checkout that decides what comes of an archive: package, rules, catalogue."""
    tops = ("src/scxval", "workflow", "config")
    files = (f for top in tops for f in (repository() / top).rglob("*"))
    return tree_sha256(sorted(f for f in files if f.is_file() and f.suffix != ".pyc"))


def pair_files(wildcards):
    """All that a pair is made from."""
    pair = pair_of(wildcards)
    again = [file for _, folder in pair.again for file in compare_plan.files_of(folder)]
    if CONFIG.archived:
        # One that is not there makes the pair void, with the reason.
        again = [file for file in again if os.path.exists(here(file))]
    return {
        "a": [file for run in pair.a.runs for file in compare_plan.files_of(run)],
        "b": [file for run in pair.b.runs for file in compare_plan.files_of(run)],
        "again": again,
        "workload": pair_workload(pair) or [],
    }


def pair_workload(pair):
    """The file of its workload, if it has one."""
    file = CATALOG.workloads[pair.workload].file
    return outside(file) if file else None


def pair_json(wildcards):
    """What is compared, and all of the configuration that decides how."""
    pair = pair_of(wildcards)
    spec = pair.spec(pair_workload(pair), CONFIG.compare, here)
    return json.dumps(spec, sort_keys=True)


def simulation_beside(wildcards):
    """The first planned simulation of a run's scheduler, workload and machine; ""."""
    axes = ("scheduler", "workload", "machine")
    wanted = [getattr(wildcards, axis) for axis in axes]
    found = (
        cell.path
        for cell in current_simulations().cells
        if [getattr(cell, axis) for axis in axes] == wanted
    )
    return next(found, "")


def simulated_beside(wildcards):
    """The files of that simulation."""
    path = simulation_beside(wildcards)
    names = ("status.json", "events.parquet", "capability.json")
    return [f"results/sim/{path}/{name}" for name in names] if path else []


def simulation_folder(wildcards):
    """Its folder as a parameter; "" without one."""
    path = simulation_beside(wildcards)
    return here(f"results/sim/{path}") if path else ""


def simulation_json(wildcards):
    """All of the configuration that decides a simulation."""
    names = ("simulator", "scheduler", "workload", "machine")
    cell = SimulationCell(
        *(getattr(wildcards, name) for name in names), seed=int(wildcards.seed)
    )
    return simulation_spec(cell, CONFIG).to_json()


def simulated_library(wildcards):
    """The record of what was compiled of a scheduler, and the libraries beside it."""
    if CATALOG.simulators[wildcards.simulator].module != "builtin":
        return []
    name = library_name(CATALOG.schedulers[wildcards.scheduler])
    return f"resources/simulators/{machine_kernel(wildcards)}/{name}.json"


def simulator_binary(wildcards):
    """An external simulator's program; [] for the embedded one."""
    entry = CATALOG.simulators[wildcards.simulator]
    program = host_program(entry) if entry.binary else None
    return str(program) if program else []


def calibration_of(machine):
    """The calibration cell of a machine, and why there is none: one of the two."""
    cell = calibration_cell(CONFIG, machine)
    current = current_plan()
    if cell in current.cells:
        return cell, ""
    found = (e.reason for e in current.excluded if e.cell == cell)
    return None, next(found, "the configuration has no calibration cell")


def calibration_files(wildcards):
    """What a machine's parameters are read from; nothing where it has no calibration cell."""
    cell, _ = calibration_of(wildcards.machine)
    if cell is None:
        return {}
    folder = f"results/runs/{cell.path}"
    files = ("status.json", "events.parquet", "capability.json")
    return {Path(name).stem: f"{folder}/{name}" for name in files}


def calibration_workload(wildcards):
    """The workload's file of a machine's calibration cell."""
    cell, _ = calibration_of(wildcards.machine)
    file = CATALOG.workloads[cell.workload].file if cell else None
    return outside(file) if file else []


def calibration_path(wildcards):
    cell, _ = calibration_of(wildcards.machine)
    return cell.path if cell else ""


def calibration_missing(wildcards):
    return calibration_of(wildcards.machine)[1]


def calibration_folder(wildcards):
    cell, _ = calibration_of(wildcards.machine)
    return here(f"results/runs/{cell.path}") if cell else []


def given_parameters(wildcards):
    """Parameters that the configuration gives a machine, as JSON."""
    return json.dumps(CONFIG.simulate.parameters.get(wildcards.machine, {}))


def run_minutes():
    """Minutes that a batch system gives a run: two boots, the job's limit, and the harness around it."""
    return math.ceil((CONFIG.limits.boot_s + CONFIG.limits.total_s) / 60) + 5


def cell_of(wildcards):
    """The cell that wildcards name."""
    return Cell(*(getattr(wildcards, axis) for axis in AXES), rep=int(wildcards.rep))


def spec_json(wildcards):
    """All of the configuration that decides a cell's run."""
    return cell_spec(cell_of(wildcards), CONFIG).to_json()


def binary_of(scheduler, kernel):
    """Where a scheduler's binary is built; [] for the kernel's own."""
    entry = CATALOG.schedulers[scheduler]
    if not entry.is_sched_ext:
        return []
    if entry.source == "tree":
        return f"resources/schedulers/tree/{kernel}/{entry.binary}"
    first = first_crate_version("schedulers", entry.binary)
    version = "" if entry.crate_version == first else f"-{entry.crate_version}"
    return f"resources/schedulers/crate/{entry.binary}{version}"


def scheduler_files(wildcards):
    """What the scheduler itself reads, such as a layer specification."""
    return [outside(f) for f in CATALOG.schedulers[wildcards.scheduler].files]


def scheduler_on_machine(wildcards):
    """The scheduler of a cell: its binary, then its files."""
    binary = binary_of(wildcards.scheduler, machine_kernel(wildcards))
    return [binary, *scheduler_files(wildcards)] if binary else []


def scheduler_on_kernel(wildcards):
    return binary_of(wildcards.scheduler, wildcards.kernel)


def scheduler_json(wildcards):
    """A scheduler's catalogue entry as a parameter."""
    return json.dumps(scheduler_record(CATALOG.schedulers[wildcards.scheduler]))


def kernel_suite(wildcards):
    return CATALOG.kernels[wildcards.kernel].suite


def kernel_version(wildcards):
    return CATALOG.kernels[wildcards.kernel].version


def machine_kernel(wildcards):
    return CATALOG.machines[wildcards.machine].kernel


def guest_files(kernel):
    """The files that a guest with this kernel is booted from."""
    folder = KERNEL.format(kernel=kernel)
    return {
        "kernel": f"{folder}/vmlinux",
        "initramfs": f"{folder}/initramfs.cpio",
        "image": IMAGE,
    }


def functions_of(kernel):
    return f"{KERNEL.format(kernel=kernel)}/functions.txt"


def booted(kernel):
    """What a guest with this kernel is booted from, as inputs. Kernel and image are beyond what Snakemake takes
    a checksum of: in their place the locks decide, by content, that are written with them.
    """
    files = guest_files(kernel)
    large = {name: ancient(files[name]) for name in ("kernel", "image")}
    return {
        **files,
        **large,
        "locks": [KERNEL_LOCK.format(kernel=kernel), IMAGE_LOCK],
    }


def kernel_guest(wildcards):
    return booted(wildcards.kernel)


def machine_guest(wildcards):
    """What the machine of a cell is booted from; nothing for the host itself."""
    files = booted(machine_kernel(wildcards))
    return {name: [] for name in files} if is_host(wildcards) else files


def is_host(wildcards):
    return CATALOG.machines[wildcards.machine].launcher == "host"


def machine_json(wildcards):
    """A machine's catalogue entry as a parameter."""
    return json.dumps(asdict(CATALOG.machines[wildcards.machine]), sort_keys=True)


def machine_state(wildcards):
    """The state that a cell's machine starts from; [] for a cold boot."""
    machine = CATALOG.machines[wildcards.machine]
    return (
        f"resources/snapshot/{machine.name}/state" if machine.boot == "snapshot" else []
    )


def qemu_version(wildcards):
    """A saved state is for one version of QEMU."""
    return qemu.version()


def machine_functions(wildcards):
    if is_host(wildcards):
        return []
    return functions_of(machine_kernel(wildcards))


def workload_file(wildcards):
    """The workload's file; [] without one."""
    file = CATALOG.workloads[wildcards.workload].file
    return outside(file) if file else []


def workload_result(wildcards):
    """The workload's result entry as JSON; null without one."""
    result = CATALOG.workloads[wildcards.workload].result
    return json.dumps(result and asdict(result))


def tracer_code(wildcards):
    """How the tracers are run; their converters are not part of a run."""
    folders = [t.module for t in tracer_parts(wildcards.tracer, CATALOG.tracers)]
    files = ("__init__.py", "probes.py", "recorder.py", "sample.py")
    return code(*(f"tracers/{folder}/{file}" for folder in folders for file in files))


def stats_part_of(tracer):
    """The one of a cell's tracers that samples the scheduler's statistics; "" without one."""
    parts = tracer_parts(tracer, CATALOG.tracers)
    return next((part.name for part in parts if part.module == "scx_stats"), "")


def stats_part(wildcards):
    return stats_part_of(wildcards.tracer)


def cell_part(wildcards):
    """The part whose tables are the cell's own: the first that makes events, else the first."""
    parts = tracer_parts(wildcards.tracer, CATALOG.tracers)
    part = next((p for p in parts if makes_events(p.module)), parts[0])
    folder = f"{RUN_DIR}/parts/{part.name}"
    return {
        "events": f"{folder}/events.parquet",
        "capability": f"{folder}/capability.json",
    }


def tracer_binary_of(tracer):
    """Where the program of a tracer lies that the guest's image lacks; [] for one that it has."""
    if tracer.source == "crate":
        return f"resources/tracers/crate/{tracer.binary}"
    return str(host_program(tracer)) if tracer.source == "host" else []


def tracer_binaries(wildcards):
    """The programs of a cell's tracers that the guest's image lacks, in their order."""
    parts = tracer_parts(wildcards.tracer, CATALOG.tracers)
    return [path for part in parts if (path := tracer_binary_of(part))]


def machine_vcpus(wildcards):
    """CPUs to keep free for a cell; clamped to --cores, and never what the guest gets."""
    return CATALOG.machines[wildcards.machine].vcpus or workflow.cores


def probe_vcpus(wildcards):
    """As `machine_vcpus`, for the probe of a scheduler."""
    return int(wildcards.vcpus)


def machine_cpus(wildcards):
    """The CPUs of a machine as a list: 0-3; "" for the host, whose CPUs the trace must tell."""
    return "" if is_host(wildcards) else f"0-{machine_vcpus(wildcards) - 1}"


def machine_memory(wildcards):
    return memory_of(CATALOG.machines[wildcards.machine])


def crate_version(wildcards):
    """The version of a crate; its program has the crate's name."""
    return first_crate_version(wildcards.kind, wildcards.crate)


def first_crate_version(kind, crate):
    """The version that the catalogue has first: its program has no version in its name."""
    entries = getattr(CATALOG, kind).values()
    return next(
        entry.crate_version
        for entry in entries
        if entry.source == "crate" and entry.binary == crate
    )


def tree_names():
    """Every scheduler of the kernel's tree that the catalogue has: they are built together."""
    return sorted({s.binary for s in CATALOG.schedulers.values() if s.source == "tree"})
