# SPDX-License-Identifier: MIT
# What is to be made, as input functions: of all cells, of a family, of a study, of the configured resources.
# Needs: common.smk, and the probe's records. Makes: names only, no files.


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
    file = Path(here(BUDGET))
    choice = choice_made(question(CONFIG, plan(CONFIG, host)), file)
    if choice is None:
        checkpoints.choose.get()
        choice = read_choice(file)
    return planned(CONFIG, host, choice)


def current_plan():
    """The cells."""
    return current().plan


def budget_question(wildcards):
    """What there is to choose from, as JSON."""
    return json.dumps(asdict(question(CONFIG, plan(CONFIG, current_host()))))


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


def configured_simulators():
    """The compiled schedulers of every configured kernel, if the embedded simulator is configured."""
    modules = {CATALOG.simulators[name].module for name in CONFIG.simulators}
    kernels = configured_kernels() if "builtin" in modules else []
    return [f"resources/simulators/{kernel}/models.so" for kernel in kernels]


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


def configured_guests():
    """What guests are booted from, and their kernels' functions, for every configured machine."""
    files = []
    for kernel in configured_kernels():
        files += [*guest_files(kernel).values(), functions_of(kernel)]
    return files


def configured_tracers():
    """Programs from crates of every tracer that the configuration names."""
    parts = [
        part
        for name in CONFIG.axes["tracer"]
        for part in tracer_parts(name, CATALOG.tracers)
    ]
    return sorted({tracer_binary_of(p) for p in parts if p.source == "crate"})
