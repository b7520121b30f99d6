# SPDX-License-Identifier: MIT
# The checked configuration, the plan made from it, and the input functions of the other files.
# Needs: config. Makes: names only, no files.
import hashlib
import json
import math
import os
import re
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from snakemake.exceptions import WorkflowError

from scxval.cache import FOLDER as CACHE_FOLDER
from scxval.catalog.combination import TOGETHER, part_names, tracer_parts
from scxval.catalog.comparison import FAMILIES
from scxval.catalog.config import over_defaults, parse_config
from scxval.catalog.matrix import calibration_cell, probes, this_host
from scxval.catalog.model import AXES, Cell
from scxval.catalog.programs import host_program
from scxval.catalog.schema import repository
from scxval.compare import plan as compare_plan
from scxval.errors import HarnessError, ScxvalError, unknown_name
from scxval.vm.job import cell_spec, scheduler_record
from scxval.vm.slots import SLOTS
from scxval.vm.space import memory_of, require_for_sweep
from scxval.files import tree_sha256
from scxval.simulate.base import library_name
from scxval.planning import planned, planned_of_archive
from scxval.planning.budget import question, read_choice
from scxval.planning.timing import known_timing, lines
from scxval.simulate.plan import SimulationCell
from scxval.simulate.spec import simulation_spec
from scxval.study import agreement_plan
from scxval.study.registry import ROOT as STUDY_ROOT
from scxval.study.registry import STUDIES
from scxval.tracers.base import makes_events
from scxval.vm import qemu

# Another workflow may use this one as a module with a prefix. Snakemake then puts the prefix before the paths
# of inputs, outputs and logs; parameters, and what is looked at while planning, go through `here`.
PLACE = workflow.modifier.path_modifier
if PLACE.modifies_prefixes:
    raise WorkflowError("scxval as a module: give prefix, not replace_prefix")


def here(path):
    """Where a path of this workflow's lies, from the working directory: below a module's prefix."""
    return PLACE.replace_prefix(path)


def outside(file):
    """A file that no rule makes, relative where it lies below the working directory; never prefixed."""
    path = os.path.relpath(file)
    return path if here(path) == path else os.path.abspath(file)


def shipped(path):
    """A file of this checkout."""
    return outside(repository() / path)


PROBE = Path(here("resources/probe"))
RESULTS = Path(here("results"))
# Where and when a run happens, which changes nothing in it.
WHERE = ("vm/node.py", "vm/node_cache.py", "vm/slots.py")
# Two accelerators, the slower one twice, or one scheduler: the limits of scxval.probe, and some more.
PROBE_MINUTES = 10
PROBE_MB = 1400
BUDGET = "results/budget.json"
SOURCE = repository() / "src" / "scxval"
IMAGE = "resources/guest/guest.erofs"
IMAGE_LOCK = "resources/guest/lock.txt"
KERNEL = "resources/kernel/{kernel}"
KERNEL_LOCK = f"{KERNEL}/lock.txt"
RUN_PATH = "{scheduler}/{workload}/{tracer}/{isolation}/{machine}/rep{rep}"
RUN_DIR = f"results/runs/{RUN_PATH}"
SIM_CELL = "{simulator}/{scheduler}/{workload}/{machine}/seed{seed}"
SIM_DIR = f"results/sim/{SIM_CELL}"
RUN_LOG = f"{RUN_PATH}.log"

# A module's own configuration may name only what is not as shipped.
IS_MODULE = workflow.modifier.skip_configfile
try:
    CONFIG = parse_config(over_defaults(config) if IS_MODULE else config, Path.cwd())
except ScxvalError as error:
    raise WorkflowError(str(error)) from None

# `snakemake` may be called by its path, without its environment's bin folder on PATH; jobs call
# the same environment's python. A user's PATH may lack the sbin folders, where depmod is. The cache is no
# parameter of a rule: another one makes no other files.
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH:/usr/sbin:/sbin; "
    + (f"export {CACHE_FOLDER}={shlex.quote(CONFIG.cache)}; " if CONFIG.cache else "")
)

for _study in CONFIG.studies:
    if _study not in STUDIES:
        raise WorkflowError(str(unknown_name("study", _study, STUDIES)))

# Results from elsewhere, which no rule makes.
AGAINST = (
    tuple(map(outside, CONFIG.compare.against)) if IS_MODULE else CONFIG.compare.against
)
CONFIG = replace(CONFIG, compare=replace(CONFIG.compare, against=AGAINST))

CATALOG = CONFIG.catalog
PROVISION = json.dumps(CONFIG.provision, sort_keys=True)
LIMITS = json.dumps(asdict(CONFIG.limits))
AGREEMENT = json.dumps(asdict(CONFIG.agreement))
STUDY = json.dumps(CONFIG.study)
GATE = json.dumps(asdict(CONFIG.gate))
HISTORY = json.dumps({**asdict(CONFIG.history), "store": here(CONFIG.history.store)})
COMPARE = json.dumps(compare_plan.decides(CONFIG.compare))
ONE_TRACER = "|".join(map(re.escape, CATALOG.tracers))
SEVERAL_TRACERS = rf"(?:{ONE_TRACER})(?:{re.escape(TOGETHER)}(?:{ONE_TRACER}))+"


wildcard_constraints:
    scheduler="|".join(map(re.escape, CATALOG.schedulers)),
    workload="|".join(map(re.escape, CATALOG.workloads)),
    tracer=f"{ONE_TRACER}|{SEVERAL_TRACERS}",
    part=ONE_TRACER,
    isolation="|".join(map(re.escape, CATALOG.isolations)),
    machine="|".join(map(re.escape, CATALOG.machines)),
    kernel="|".join(map(re.escape, CATALOG.kernels)),
    probes=r"[0-9a-f]{12}",
    vcpus=r"\d+",
    rep=r"\d+",
    first=ONE_TRACER,
    second=ONE_TRACER,
    simulator="|".join(map(re.escape, CATALOG.simulators)),
    seed=r"\d+",
    family="|".join(FAMILIES),
    study="|".join(STUDIES),
    pair=r".+",


def code(*patterns, but=()):
    """Digest of package files, as a parameter: their content decides on a rerun, never a checkout."""
    without = {SOURCE / name for name in but}
    files = {f for p in patterns for f in SOURCE.glob(p) if f.is_file()}
    return tree_sha256(sorted(files - without))[:16]


def current_host():
    """What the plan is made for, once the probes have said what accelerators and schedulers work."""
    if not all(os.path.exists(here(record)) for record in probed_records(None)):
        checkpoints.probed.get(probes=needed_probes_id())
    return this_host(PROBE)


# What was planned, and the state of the files that it was made from.
PLANNED = {"from": None, "plan": None}


def current():
    """The plan, its simulations and pairs; made anew only when a probe or the budget's choice says otherwise."""
    if PLANNED["from"] is None or PLANNED["from"] != stamps(PLANNED["from"]):
        made = planned_of_archive(CONFIG, RESULTS) if CONFIG.archived else measured()
        files = [] if CONFIG.archived else [*PROBE.rglob("*.json"), Path(here(BUDGET))]
        PLANNED.update({"from": stamps(files), "plan": made})
    return PLANNED["plan"]


def stamps(files):
    """When files were written; 0 for one that is not there."""
    return {f: os.stat(f).st_mtime_ns if os.path.exists(f) else 0 for f in files}


def measured():
    """The plan of what is measured here: all that the configuration asks for, or what its budget pays for."""
    host = current_host()
    if CONFIG.budget_s is None:
        return planned(CONFIG, host)
    checkpoints.choose.get()
    return planned(CONFIG, host, read_choice(Path(here(BUDGET))))


def current_plan():
    """The cells."""
    return current().plan


def budget_question(wildcards):
    """What there is to choose from, as JSON."""
    return json.dumps(asdict(question(CONFIG, planned(CONFIG, current_host()).plan)))


def needed_probes():
    """(kernel, scheduler, vCPUs) that the configuration needs; the accelerators must be known."""
    checkpoints.probe.get()
    return probes(CONFIG, this_host(PROBE))


def needed_probes_id():
    """A digest of what is to be probed, with the schedulers' versions and arguments."""
    asked = [
        (kernel, scheduler_record(CATALOG.schedulers[name]), vcpus)
        for kernel, name, vcpus in needed_probes()
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]


def probed_records(wildcards):
    """A record for every scheduler, kernel and vCPU count that the configuration needs."""
    return [
        f"resources/probe/schedulers/{kernel}/{vcpus}/{scheduler}.json"
        for kernel, scheduler, vcpus in needed_probes()
    ]


def probed_matrix(wildcards):
    return f"resources/probe/compatibility/{needed_probes_id()}.json"


def probed_table(wildcards):
    return f"resources/probe/compatibility/{needed_probes_id()}.md"


def of_cells(name):
    """One file of every planned cell."""
    return [f"results/runs/{cell.path}/{name}" for cell in current_plan().cells]


def planned_status(wildcards):
    return of_cells("status.json")


def planned_tables(wildcards):
    """The last table of every cell and simulation: it is made from all others but parts and statistics."""
    return [
        *of_cells("metrics.parquet"),
        *planned_parts(wildcards),
        *planned_stats(wildcards),
        *planned_agreement(wildcards),
        *planned_simulations("metrics.parquet"),
    ]


def planned_parts(wildcards):
    """Table and capability of each tracer, of the cells that have several."""
    return [
        f"results/runs/{cell.path}/parts/{part}/{file}"
        for cell in current_plan().cells
        if len(parts := part_names(cell.tracer)) > 1
        for part in parts
        for file in ("events.parquet", "capability.json")
    ]


def planned_stats(wildcards):
    """The scheduler's own statistics, of the cells that sample them."""
    return [
        f"results/runs/{cell.path}/stats.parquet"
        for cell in current_plan().cells
        if stats_part_of(cell.tracer)
    ]


def event_parts(tracer):
    """The tracers of an axis value whose traces hold events."""
    parts = tracer_parts(tracer, CATALOG.tracers)
    return [part.name for part in parts if makes_events(part.module)]


def planned_agreement(wildcards):
    """A record for every two tracers of a run."""
    pairs = agreement_plan.same_run(current_plan().cells, event_parts)
    return [f"{agreement_plan.same_run_folder(*pair)}/agreement.json" for pair in pairs]


def planned_verdicts(wildcards):
    """The verdicts of every configured family."""
    families = CONFIG.compare.families
    return [f"{compare_plan.ROOT}/{family}/verdicts.json" for family in families]


def planned_studies(wildcards):
    """The record of every configured study."""
    return [f"{STUDY_ROOT}/{study}/study.json" for study in CONFIG.studies]


def study_verdicts(wildcards):
    """The families whose verdicts a study looks at."""
    families = {
        "isolation": "isolation",
        "vm_overhead": "machine",
        "tracer_agreement": "tracer",
        "ranking": "simulator",
    }
    found = families.get(wildcards.study)
    return family_verdicts(found) if found else []


def family_verdicts(family):
    """A family's verdicts, if it is configured."""
    folder = f"{compare_plan.ROOT}/{family}"
    return [f"{folder}/verdicts.json"] if family in CONFIG.compare.families else []


def published_file(name):
    """A file of the published study."""
    return outside(CONFIG.published / name)


def checkout(wildcards):
    """Digest of all of this checkout that decides what comes of an archive: package, rules, catalogue."""
    tops = ("src/scxval", "workflow", "config")
    files = (f for top in tops for f in (repository() / top).rglob("*"))
    return tree_sha256(sorted(f for f in files if f.is_file() and f.suffix != ".pyc"))


def gated_history(wildcards):
    """The history's record, where the gate looks at it."""
    looked_at = CONFIG.gate.max_regressions is not None
    return "results/history/history.json" if looked_at else []


def run_priority(wildcards):
    """One repetition of every cell before the next: runs of one number are near each other in time."""
    return -int(wildcards.rep)


def family_pairs(wildcards):
    """The record of every pair of a family."""
    pairs = current().pairs.values()
    return [f"{p.folder}/pair.json" for p in pairs if p.family == wildcards.family]


def pair_of(wildcards):
    """The pair that wildcards name."""
    folder = f"{compare_plan.ROOT}/{wildcards.family}/{wildcards.pair}"
    pairs = current().pairs
    if folder not in pairs:
        raise WorkflowError(f"{folder}: the configuration has no such pair")
    return pairs[folder]


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


def plan_files(wildcards):
    """What the plan is made from beside the configuration."""
    if CONFIG.archived:
        return {}
    chosen = {"budget": BUDGET} if CONFIG.budget_s is not None else {}
    return {
        "probe": "resources/probe/accelerator.json",
        "compatibility": probed_matrix(wildcards),
        **chosen,
    }


def plan_json(wildcards):
    """The plan as a parameter: results/plan.json is written anew when it changes."""
    return current().to_json(CONFIG)


def current_simulations():
    return current().simulations


def planned_simulations(name):
    """One file of every planned simulation."""
    return [f"results/sim/{cell.path}/{name}" for cell in current_simulations().cells]


def planned_traces(wildcards):
    """A trace for the Perfetto UI of every planned cell whose tracer makes events."""
    return [
        f"results/report/perfetto/{cell.path}.pftrace"
        for cell in current_plan().cells
        if event_parts(cell.tracer)
    ]


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


def configured_simulators():
    """The compiled schedulers of every configured kernel, if the embedded simulator is configured."""
    modules = {CATALOG.simulators[name].module for name in CONFIG.simulators}
    kernels = configured_kernels() if "builtin" in modules else []
    return [f"resources/simulators/{kernel}/models.so" for kernel in kernels]


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


def before_start():
    """Say how long the cells to be run will take; stop when they need more than this host has now."""
    if CONFIG.archived:
        return
    runs = rules.run_cell.rule
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule is runs]
    cells = [cell_of(job.wildcards) for job in jobs]
    try:
        known = known_timing(Path(here(CONFIG.history.store)), RESULTS / "runs")
        print(*lines(cells, known), sep="\n", file=sys.stderr)
    except ScxvalError as error:
        print(f"no estimate: {error}", file=sys.stderr)
    slots = workflow.global_resources.get("vm_slots").value
    if workflow.local_exec:
        # So many that --resources allows are asked for; a cluster's nodes have their own say.
        os.environ.setdefault(SLOTS, str(slots or 1))
    else:
        slots = 0
    try:
        require_for_sweep(cells, CATALOG, slots, Path.cwd())
    except HarnessError as error:
        raise WorkflowError(str(error)) from None


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


def configured_kernels():
    """The kernels of every machine that the configuration names, an alias by its first machine."""
    names = [CATALOG.aliases.get(name, (name,))[0] for name in CONFIG.axes["machine"]]
    return list(dict.fromkeys(CATALOG.machines[name].kernel for name in names))


def configured_schedulers():
    """Binaries of every scheduler that the configuration names."""
    return [
        path
        for kernel in dict.fromkeys([*configured_kernels(), *CONFIG.probed_kernels])
        for name in CONFIG.axes["scheduler"]
        if (path := binary_of(name, kernel))
    ]


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


def configured_guests():
    """What guests are booted from, and their kernels' functions, for every configured machine."""
    files = []
    for kernel in configured_kernels():
        files += [*guest_files(kernel).values(), functions_of(kernel)]
    return files


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


def configured_tracers():
    """Programs from crates of every tracer that the configuration names."""
    parts = [
        part
        for name in CONFIG.axes["tracer"]
        for part in tracer_parts(name, CATALOG.tracers)
    ]
    return sorted({tracer_binary_of(p) for p in parts if p.source == "crate"})


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
