# SPDX-License-Identifier: MIT
# The checked configuration, and the names that all other files use.
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
from scxval.catalog.matrix import calibration_cell, plan, probes, this_host
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
from scxval.planning.budget import choice_made, question, read_choice
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
