# SPDX-License-Identifier: MIT
"""scx_rusty 1.1.4 as a policy: its BPF half (src/bpf/main.bpf.c) op by op, its user-space half as `period`.

A domain is an LLC with one vtime-ordered dispatch queue, whose id is the domain's. Modelled as there: direct
dispatch to idle CPUs of the domain and greedily of others, the kick of idle CPUs that may steal, stealing
in dispatch, deadlines from vtime, mean runtime and how often a task wakes others and blocks, the tuner (slice
and greedy masks by utilisation, src/tuner.rs). Simplified: see `ScxRusty.about`.
"""

from __future__ import annotations

from scxval.simulate.builtin.models.policy import (
    NONE,
    SCX_DSQ_LOCAL,
    SCX_KICK_IDLE,
    SCX_PICK_IDLE_CORE,
    Kernel,
    Policy,
)
from scxval.simulate.builtin.models.rusty_task import (
    MS,
    Options,
    Task,
    calc_avg,
    compute_dl,
    scale_inverse_fair,
    update_freq,
)

TUNE_NS = 100 * MS
BALANCE_NS = 2_000 * MS
# /proc/stat, which the tuner reads, counts in these (USER_HZ).
JIFFY_NS = 10 * MS
_U64 = (1 << 64) - 1


class ScxRusty(Policy):
    """rusty_ops."""

    about = (
        "a model: scx_rusty 1.1.4 after its source. Simplified: the load balancer moves single tasks "
        "between LLCs every 2 s by weight and time runnable in that interval, not by running averages; "
        "before the first tuning step all domains are greedy and slices long; one NUMA node; no "
        "SCX_WAKE_SYNC; utilisation is of the workload alone"
    )
    timeout_ms = 10_000
    period_ns = TUNE_NS

    def __init__(self, kernel: Kernel, options: Options | None = None) -> None:
        super().__init__(kernel)
        self._options = options or Options()
        self._slice_ns = self._options.slice_us_underutil * 1000
        llcs = sorted(set(kernel.llc_of))
        self._llc_of_dom = llcs
        self._dom_of = [llcs.index(llc) for llc in kernel.llc_of]
        self._doms = range(len(llcs))
        self._cpus_of = [
            [c for c in range(kernel.nr_cpus) if self._dom_of[c] == d] for d in self._doms
        ]
        self._min_vruntime = [0] * len(llcs)
        self._direct = [True] * len(llcs)
        self._kick_greedy = [True] * len(llcs)
        self._round = [0] * kernel.nr_cpus
        self._rotor = 0
        self._tasks: dict[int, Task] = {}
        self._run_from = [NONE] * kernel.nr_cpus
        self._busy_ns = [0] * kernel.nr_cpus
        self._seen_jiffies = [(0, 0)] * kernel.nr_cpus
        self._balanced_at = 0

    def init(self) -> int:
        """rusty_init(): a dispatch queue for each domain."""
        return min((self.kernel.scx_bpf_create_dsq(dom) for dom in self._doms), default=0)

    # -- tasks and domains

    def enable(self, p: int) -> None:
        """rusty_init_task()"""
        now = self.kernel.scx_bpf_now()
        task = Task(self.kernel.weight(p), last_blocked_at=now, last_woke_at=now)
        self._tasks[p] = task
        self._pick_and_set_domain(p, task)

    def set_cpumask(self, p: int) -> None:
        """rusty_set_cpumask()"""
        self._pick_and_set_domain(p, self._tasks[p])

    def disable(self, p: int) -> None:
        """rusty_exit_task()"""
        del self._tasks[p]

    def _pick_and_set_domain(self, p: int, task: Task) -> None:
        """task_pick_and_set_domain(): the next domain round that has a CPU of the task's."""
        cpu, allowed = self.kernel.smp_processor_id(), self.kernel.allowed
        start = self._round[cpu]
        self._round[cpu] += 1
        found = 0
        for step in self._doms:
            dom = (start + step + 1) % len(self._doms)
            if any(allowed(p, c) for c in self._cpus_of[dom]):
                found = dom
                break
        task.all_cpus = self.kernel.nr_cpus_allowed(p) == self.kernel.nr_cpus
        self._set_domain(task, found)

    def _set_domain(self, task: Task, dom: int) -> None:
        """task_set_domain()"""
        task.dom = task.target_dom = dom
        task.vtime = self._min_vruntime[dom]
        task.deadline = task.vtime + scale_inverse_fair(task.avg_runtime, task.weight)

    def _any_domestic(self, p: int, task: Task) -> int:
        """bpf_cpumask_any_distribute() of the task's CPUs in its domain; NONE when there is none."""
        cpus = [c for c in self._cpus_of[task.target_dom] if self.kernel.allowed(p, c)]
        self._rotor += 1
        return cpus[self._rotor % len(cpus)] if cpus else NONE

    # -- choosing a CPU

    def select_cpu(self, p: int, prev: int, wake_flags: int) -> int:
        """rusty_select_cpu()"""
        task = self._tasks[p]
        if self.kernel.nr_cpus_allowed(p) == 1:
            task.dispatch_local = True
            return prev
        domestic = self._dom_of[prev] == task.target_dom and self.kernel.allowed(p, prev)
        cpu = self._idle_cpu(p, task, prev, domestic)
        if cpu >= 0:
            task.dispatch_local = True
            return cpu
        if domestic:
            return prev
        cpu = self._any_domestic(p, task)
        return cpu if cpu != NONE else prev

    def _idle_cpu(self, p: int, task: Task, prev: int, domestic: bool) -> int:
        """An idle CPU to put the task on at once, which is claimed; negative when there is none."""
        kernel = self.kernel
        claim, pick = kernel.scx_bpf_test_and_clear_cpu_idle, kernel.scx_bpf_pick_idle_cpu
        keep = domestic or self._direct[self._dom_of[prev]]
        if keep and kernel.core_is_idle(prev) and claim(prev):
            return prev
        llc = self._llc_of_dom[task.target_dom]
        cpu: int = pick(p, llc, SCX_PICK_IDLE_CORE)
        if cpu >= 0:
            return cpu
        if domestic and claim(prev):
            return prev
        cpu = pick(p, llc, 0)
        if cpu >= 0 or not task.all_cpus:
            return cpu
        # Greedy: idle CPUs of domains that are not busy, the one before first, whole cores first.
        near = self._dom_of[prev]
        doms = [d for d in (near, *(d for d in self._doms if d != near)) if self._direct[d]]
        for flags in (SCX_PICK_IDLE_CORE, 0):
            for dom in doms:
                cpu = pick(p, self._llc_of_dom[dom], flags)
                if cpu >= 0:
                    return cpu
        return NONE

    # -- queues

    def enqueue(self, p: int, enq_flags: int) -> None:
        """rusty_enqueue()"""
        task, kernel = self._tasks[p], self.kernel
        if task.dom != task.target_dom:
            # Asked for by the balancer.
            self._set_domain(task, task.dom)
            task.dispatch_local = False
            self._kick_any(p, task)
        elif task.dispatch_local:
            task.dispatch_local = False
            kernel.scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, self._slice_ns, enq_flags)
            return
        elif self._dom_of[kernel.scx_bpf_task_cpu(p)] != task.target_dom:
            self._kick_any(p, task)
        if self._options.fifo_sched:
            kernel.scx_bpf_dsq_insert(p, task.target_dom, self._slice_ns, enq_flags)
        else:
            self._place_task_dl(p, task, enq_flags)
        if task.all_cpus:
            self._kick_greedily()

    def _kick_any(self, p: int, task: Task) -> None:
        cpu = self._any_domestic(p, task)
        if cpu != NONE:
            self.kernel.scx_bpf_kick_cpu(cpu, 0)

    def _kick_greedily(self) -> None:
        """An idle CPU of a domain that is not busy, to steal what was queued."""
        kernel = self.kernel
        for step in range(kernel.nr_cpus):
            cpu = (self._rotor + step) % kernel.nr_cpus
            if self._kick_greedy[self._dom_of[cpu]] and kernel.cpu_is_idle(cpu):
                self._rotor = cpu + 1
                kernel.scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE)
                return

    def _place_task_dl(self, p: int, task: Task, enq_flags: int) -> None:
        """place_task_dl(): a sleeper keeps at most a slice of what it did not use (clamp_task_vtime())."""
        least = self._min_vruntime[task.dom] - self._slice_ns
        if task.vtime < least:
            task.vtime = least
            task.deadline = task.vtime + compute_dl(task)
        self.kernel.scx_bpf_dsq_insert_vtime(
            p, task.target_dom, self._slice_ns, task.deadline & _U64, enq_flags
        )

    def dispatch(self, cpu: int, prev: int) -> None:
        """rusty_dispatch(): its own domain, then those of others in turn."""
        dom, move = self._dom_of[cpu], self.kernel.scx_bpf_dsq_move_to_local
        if move(dom) or not self._options.greedy_threshold:
            return
        for _ in range(len(self._doms) - 1):
            other = self._round[cpu] % len(self._doms)
            self._round[cpu] += 1
            if other != dom and move(other):
                return

    # -- accounting

    def runnable(self, p: int, enq_flags: int) -> None:
        """rusty_runnable()"""
        now = self.kernel.scx_bpf_now()
        task = self._tasks[p]
        task.since = now
        task.sum_runtime = 0
        waker = self._tasks.get(self.kernel.current_task())
        if waker is not None:
            waker.waker_freq = update_freq(waker.waker_freq, now - waker.last_woke_at)
            waker.last_woke_at = now

    def quiescent(self, p: int, deq_flags: int) -> None:
        """rusty_quiescent()"""
        now = self.kernel.scx_bpf_now()
        task = self._tasks[p]
        task.load_ns += now - max(task.since, self._balanced_at)
        task.since = NONE
        task.blocked_freq = update_freq(task.blocked_freq, now - task.last_blocked_at)
        task.last_blocked_at = now

    def running(self, p: int) -> None:
        """rusty_running()"""
        now = self.kernel.scx_bpf_now()
        task = self._tasks[p]
        self._run_from[self.kernel.smp_processor_id()] = now
        task.last_run_at = now
        self._min_vruntime[task.dom] = max(self._min_vruntime[task.dom], task.vtime)

    def stopping(self, p: int, runnable: bool) -> None:
        """rusty_stopping()"""
        now = self.kernel.scx_bpf_now()
        cpu, task = self.kernel.smp_processor_id(), self._tasks[p]
        self._busy_ns[cpu] += now - self._run_from[cpu]
        self._run_from[cpu] = NONE
        if self._options.fifo_sched:
            return
        delta = now - task.last_run_at
        task.sum_runtime += delta
        task.avg_runtime = calc_avg(task.avg_runtime, task.sum_runtime)
        task.vtime += scale_inverse_fair(delta, task.weight)
        task.deadline = task.vtime + compute_dl(task)

    # -- the user-space half

    def period(self) -> None:
        """Every tuning interval: Tuner::step(), and the balancer when its own has passed."""
        now = self.kernel.scx_bpf_now()
        used = [self._utilisation(cpu, now) for cpu in range(self.kernel.nr_cpus)]
        busy, total = sum(b for b, _ in used), sum(t for _, t in used)
        # avg_util >= 0.99999 of counters that count jiffies.
        full = busy * 100_000 >= total * 99_999
        options = self._options
        self._slice_ns = 1000 * (options.slice_us_overutil if full else options.slice_us_underutil)
        for dom, cpus in enumerate(self._cpus_of):
            # direct_greedy_under is 90 %; kick_greedy_under 100 %, which is always.
            self._direct[dom] = 10 * sum(used[c][0] for c in cpus) < 9 * sum(
                used[c][1] for c in cpus
            )
        if now - self._balanced_at >= BALANCE_NS:
            if len(self._doms) > 1 and not options.no_load_balance:
                self._balance(now)
            self._start_interval(now)

    def _utilisation(self, cpu: int, now: int) -> tuple[int, int]:
        """Busy and all jiffies of a CPU since the last step."""
        since = self._run_from[cpu]
        busy = self._busy_ns[cpu] + (now - since if since != NONE else 0)
        idle = (now - busy) // JIFFY_NS
        jiffies = (now // JIFFY_NS - idle, now // JIFFY_NS)
        before, self._seen_jiffies[cpu] = self._seen_jiffies[cpu], jiffies
        return jiffies[0] - before[0], jiffies[1] - before[1]

    def _start_interval(self, now: int) -> None:
        self._balanced_at = now
        for task in self._tasks.values():
            task.load_ns = 0

    def _load(self, task: Task, now: int) -> int:
        running = now - max(task.since, self._balanced_at) if task.since != NONE else 0
        return (task.load_ns + running) * task.weight

    def _balance(self, now: int) -> None:
        """The most loaded domain gives the least loaded one the task that halves their difference best, as
        long as they differ by over 10 % of the mean (LOAD_IMBAL_HIGH_RATIO in src/load_balance.rs)."""
        loads = {p: self._load(task, now) for p, task in self._tasks.items()}
        dom_load = [sum(loads[p] for p, t in self._tasks.items() if t.dom == d) for d in self._doms]
        for _ in self._tasks:
            push = max(self._doms, key=lambda d: (dom_load[d], -d))
            pull = min(self._doms, key=lambda d: (dom_load[d], d))
            gap = dom_load[push] - dom_load[pull]
            if 10 * gap * len(self._doms) <= sum(dom_load):
                return
            movable = [
                p
                for p, t in self._tasks.items()
                if t.dom == push and 0 < loads[p] < gap and self._may_live(p, pull)
            ]
            if not movable:
                return
            best = min(movable, key=lambda p: (abs(gap - 2 * loads[p]), p))
            self._tasks[best].dom = pull
            dom_load[push] -= loads[best]
            dom_load[pull] += loads[best]

    def _may_live(self, p: int, dom: int) -> bool:
        return any(self.kernel.allowed(p, c) for c in self._cpus_of[dom])
