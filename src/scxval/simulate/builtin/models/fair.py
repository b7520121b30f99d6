# SPDX-License-Identifier: MIT
"""The kernel's own scheduler, fair.c of 7.2, as a policy: what runs when (eevdf.py), and on which CPU.

Modelled: wakeup preemption under RUN_TO_PARITY, yields, DELAY_DEQUEUE, wake_affine, select_idle_sibling, the
idlest CPU for a new task, newidle balance, periodic balance with its failures, the kick of an idle CPU for
balance. Not modelled: see `Fair.about`.
"""

from __future__ import annotations

from collections.abc import Iterable

from scxval.simulate.builtin.models.eevdf import ENQUEUE_INITIAL, NONE, Entities
from scxval.simulate.builtin.models.policy import (
    SCX_DEQ_SLEEP,
    SCX_DSQ_LOCAL,
    SCX_OPS_ENQ_EXITING,
    SCX_SLICE_INF,
    SCX_WAKE_FORK,
    Kernel,
    Policy,
)

# kernel/sched/sched.h
DEQUEUE_SPECIAL = 0x0001_0000
# sysctl_sched_migration_cost, and the domains' cache_nice_tries and busy_factor (sd_init()).
MIGRATION_COST_NS = 500_000
CACHE_NICE_TRIES = 1
BUSY_FACTOR = 16
IMBALANCE_PCT = 117
MS = 1_000_000


class Fair(Policy):
    """fair_sched_class."""

    about = (
        "a model: EEVDF and load balancing after kernel/sched/fair.c of 7.2. Not modelled: PELT (a task's "
        "load is its weight while it is runnable), cgroups, HRTICK, active balance, NUMA, capacities, "
        "wake_wide, the costs that bound searches (SIS_UTIL, newidle); balancing sees CPUs of the LLC first, "
        "then all others"
    )
    sched_ext = False
    flags = SCX_OPS_ENQ_EXITING

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self._se = Entities(kernel.nr_cpus, kernel.tick_ns)
        self._cpus = range(kernel.nr_cpus)
        # TIF_NEED_RESCHED_LAZY of another CPU, which no IPI follows: __resched_curr().
        self._lazy = [False] * kernel.nr_cpus
        self._next_balance = [0] * kernel.nr_cpus
        self._interval_ms = [kernel.nr_cpus] * kernel.nr_cpus
        self._failed = [0] * kernel.nr_cpus
        self._recent: dict[int, int] = {}
        llc = kernel.llc_of
        # for_each_cpu_wrap(cpu, sched_domain_span(sd_llc), target + 1)
        self._wrap = [
            [c for c in (*range(t + 1, kernel.nr_cpus), *range(t + 1)) if llc[c] == llc[t]]
            for t in self._cpus
        ]
        self._siblings = [
            [c for c in self._cpus if kernel.core_of[c] == kernel.core_of[t]] for t in self._cpus
        ]
        self._smt = any(len(siblings) > 1 for siblings in self._siblings)

    # -- choosing a CPU: select_task_rq_fair()

    def select_cpu(self, p: int, prev: int, wake_flags: int) -> int:
        """The CPU for a task that wakes."""
        se = self._se
        if p < len(se.delayed) and se.delayed[p]:
            # ttwu_runnable(): it never left its runqueue.
            return se.cpu[p]
        if wake_flags & SCX_WAKE_FORK:
            return self._idlest(p)
        this = self.kernel.smp_processor_id()
        target = prev
        if this != prev and self.kernel.allowed(p, this):
            target = self._wake_affine(p, this, prev)
        return self._select_idle_sibling(p, prev, target)

    def _idle(self, cpu: int) -> bool:
        """available_idle_cpu()"""
        return self._se.curr[cpu] == NONE and not self._se.queue[cpu]

    def _load(self, cpu: int) -> int:
        """cpu_load(): the weights of what can run there."""
        se = self._se
        load = sum(se.weight[q] for q in se.queue[cpu] if not se.delayed[q])
        return load + (se.weight[se.curr[cpu]] if se.curr[cpu] != NONE else 0)

    def _idlest(self, p: int) -> int:
        """sched_balance_find_dst_cpu(): an idle CPU, those of this LLC first, else the least loaded."""
        this = self.kernel.smp_processor_id()
        llc = self.kernel.llc_of
        allowed = [c for c in self._cpus if self.kernel.allowed(p, c)]
        near = sorted(allowed, key=lambda c: llc[c] != llc[this])
        for cpu in near:
            if self._idle(cpu) and (not self._smt or self._core_idle(cpu)):
                return cpu
        for cpu in near:
            if self._idle(cpu):
                return cpu
        return min(near, key=self._load)

    def _core_idle(self, cpu: int) -> bool:
        return all(self._idle(c) for c in self._siblings[cpu])

    def _wake_affine(self, p: int, this: int, prev: int) -> int:
        """wake_affine(): the waker's CPU or the one before. No wakeup here is WF_SYNC."""
        if self._idle(this) and self.kernel.llc_of[this] == self.kernel.llc_of[prev]:
            return prev if self._idle(prev) else this
        if self._idle(prev):
            return prev
        # wake_affine_weight()
        weight = self._se.weight[p]
        here = (self._load(this) + weight) * 100
        there = max(0, self._load(prev) - weight) * (100 + (IMBALANCE_PCT - 100) // 2)
        return this if here < there else prev

    def _select_idle_sibling(self, p: int, prev: int, target: int) -> int:
        llc, allowed = self.kernel.llc_of, self.kernel.allowed
        if self._idle(target) and allowed(p, target):
            return target
        if prev != target and llc[prev] == llc[target] and self._idle(prev) and allowed(p, prev):
            return prev
        recent = self._recent.get(p, prev)
        self._recent[p] = prev
        near = recent not in (prev, target) and llc[recent] == llc[target]
        if near and self._idle(recent) and allowed(p, recent):
            return recent
        # select_idle_cpu()
        found = [c for c in self._wrap[target] if self._idle(c) and allowed(p, c)]
        if self._smt:
            found.sort(key=lambda c: not self._core_idle(c))
        return found[0] if found else target

    # -- runqueues

    def enable(self, p: int) -> None:
        """A new task."""
        self._se.add(p, self.kernel.load_weight(p))

    def enqueue(self, p: int, enq_flags: int) -> None:
        """enqueue_task_fair() and wakeup_preempt_fair(); of the current task, put_prev_entity()."""
        se = self._se
        if se.on_rq[p] and not se.delayed[p]:
            se.put_prev(se.cpu[p], p)
            return
        cpu = self.kernel.scx_bpf_task_cpu(p)
        resched = se.update_curr(cpu, self.kernel.scx_bpf_now())
        if se.delayed[p]:
            se.requeue_delayed(p)
        else:
            se.enqueue(cpu, p, enq_flags)
        if se.curr[cpu] == NONE:
            return
        # A new task does not preempt (WF_FORK); what another CPU asked for is seen as the interrupt ends.
        preempts = not enq_flags & ENQUEUE_INITIAL and self._preempts(cpu, p)
        pending = self._lazy[cpu] and self.kernel.smp_processor_id() == cpu
        if resched or preempts or pending:
            self._resched_lazy(cpu)

    def _preempts(self, cpu: int, p: int) -> bool:
        """wakeup_preempt_fair() of tasks with equal slices: whether the pick is now this task. Delayed ones
        that are picked go off for good."""
        while (picked := self._se.pick_eevdf(cpu)) != NONE and self._se.delayed[picked]:
            self._se.dequeue(picked, sleep=True, may_delay=False)
        return picked == p

    def _resched_lazy(self, cpu: int) -> None:
        """resched_curr_lazy(): at once on this CPU, whose interrupt or system call is over; another's sees
        it when it next leaves its kernel, at a tick or an interrupt of its own."""
        if cpu == self.kernel.smp_processor_id():
            self._lazy[cpu] = False
            self.kernel.resched_curr(cpu)
        else:
            self._lazy[cpu] = True

    def running(self, p: int) -> None:
        """set_next_task_fair()"""
        cpu = self.kernel.smp_processor_id()
        self._lazy[cpu] = False
        self._se.set_next(cpu, p, self.kernel.scx_bpf_now())

    def stopping(self, p: int, runnable: bool) -> None:
        """put_prev_task_fair(), of which enqueue() does the rest."""
        self._se.update_curr(self._se.cpu[p], self.kernel.scx_bpf_now())

    def quiescent(self, p: int, deq_flags: int) -> None:
        """dequeue_task_fair()"""
        sleep = bool(deq_flags & SCX_DEQ_SLEEP)
        self._se.dequeue(p, sleep, may_delay=not deq_flags & DEQUEUE_SPECIAL)

    def yield_(self, p: int, to: int) -> bool:
        """yield_task_fair(): what is left of the request is forfeit."""
        se = self._se
        cpu = se.cpu[p]
        if se.nr_queued(cpu) > 1:
            se.update_curr(cpu, self.kernel.scx_bpf_now())
            if se.eligible(cpu, p):
                se.vruntime[p] = se.deadline[p]
                se.update_deadline(cpu, p)
        # Only with its slice gone is the policy asked who runs next.
        self.kernel.set_slice_ns(p, 0)
        return False

    def dispatch(self, cpu: int, prev: int) -> None:
        """pick_task_fair(), and sched_balance_newidle() when there is nothing."""
        se, kernel = self._se, self.kernel
        if prev != NONE and se.curr[cpu] == prev:
            se.update_curr(cpu, kernel.scx_bpf_now())
        while (picked := se.pick_eevdf(cpu)) != NONE and se.delayed[picked]:
            se.dequeue(picked, sleep=True, may_delay=False)
        if picked == NONE:
            if not self._balance(cpu, newidle=True):
                return
            picked = se.queue[cpu][0]
        if picked == prev:
            self._lazy[cpu] = False
            kernel.set_slice_ns(prev, SCX_SLICE_INF)
            # set_next_entity() is not called for a task that stays: vprot holds (__schedule()).
            return
        kernel.scx_bpf_dsq_insert(picked, SCX_DSQ_LOCAL, SCX_SLICE_INF, 0)

    # -- ticks and balance

    def tick(self, p: int) -> None:
        """task_tick_fair(), and sched_balance_trigger()."""
        kernel, se = self.kernel, self._se
        cpu = se.cpu[p]
        now = kernel.scx_bpf_now()
        if se.update_curr(cpu, now) or self._lazy[cpu]:
            self._resched_lazy(cpu)
        if now >= self._next_balance[cpu]:
            moved = self._balance(cpu, newidle=False)
            interval = self._interval_ms[cpu]
            self._interval_ms[cpu] = (
                kernel.nr_cpus if moved else min(2 * interval, 2 * kernel.nr_cpus)
            )
            self._next_balance[cpu] = (
                now + self._interval_ms[cpu] * BUSY_FACTOR * MS - kernel.tick_ns
            )
            if moved and se.update_curr(cpu, now):
                self._resched_lazy(cpu)
        if se.queue[cpu] and se.nr_runnable(cpu) > 1:
            self._kick_idle(cpu)

    def _kick_idle(self, cpu: int) -> None:
        """nohz_balancer_kick(): an idle CPU is woken to look for work (it looks as it does newly idle)."""
        for idle in self._cpus:
            if self._idle(idle) and any(self._may_move(q, idle) for q in self._se.queue[cpu]):
                self.kernel.resched_curr(idle)
                return

    def _may_move(self, p: int, cpu: int, hot: bool = True) -> bool:
        """can_migrate_task(): not delayed, allowed there, and not hot in the cache it would leave."""
        if self._se.delayed[p] or not self.kernel.allowed(p, cpu):
            return False
        return hot or self.kernel.scx_bpf_now() - self._se.exec_start[p] >= MIGRATION_COST_NS

    def _balance(self, cpu: int, newidle: bool) -> bool:
        """sched_balance_rq(): pull from the busiest CPU, of this LLC first. Whether a task came."""
        llc = self.kernel.llc_of
        for span in (
            [c for c in self._cpus if c != cpu and llc[c] == llc[cpu]],
            [c for c in self._cpus if c != cpu and llc[c] != llc[cpu]],
        ):
            if span and self._pull(cpu, span, newidle):
                return True
        return False

    def _pull(self, cpu: int, span: Iterable[int], newidle: bool) -> bool:
        """find_busiest_group(), calculate_imbalance() and detach_tasks() of groups of one CPU."""
        se = self._se
        loads = {c: self._load(c) for c in (*span, cpu)}
        overloaded = [c for c in loads if c != cpu and se.nr_runnable(c) > 1]
        if not overloaded:
            return False
        busiest = max(overloaded, key=lambda c: (loads[c], -c))
        tries = 0 if newidle else self._failed[cpu]
        candidates = [
            p for p in se.queue[busiest] if self._may_move(p, cpu, hot=tries > CACHE_NICE_TRIES)
        ]
        if not newidle:
            imbalance = self._imbalance(cpu, busiest, loads)
            if imbalance <= 0:
                return False
            # shr_bound(load, nr_balance_failed): each failure lets a heavier task go.
            candidates = [p for p in candidates if se.weight[p] >> tries <= imbalance]
            self._failed[cpu] = 0 if candidates else self._failed[cpu] + 1
        if not candidates:
            return False
        self._migrate(candidates[0], cpu)
        return True

    def _imbalance(self, cpu: int, busiest: int, loads: dict[int, int]) -> int:
        """calculate_imbalance() by load; 0 when there is none."""
        local, most = loads[cpu], loads[busiest]
        average = sum(loads.values()) // len(loads)
        if self._se.nr_runnable(cpu) > 1 and 100 * most <= IMBALANCE_PCT * local:
            return 0
        return min(most - average, average - local)

    def _migrate(self, p: int, cpu: int) -> None:
        """detach_task() and attach_task()"""
        se = self._se
        se.update_curr(se.cpu[p], self.kernel.scx_bpf_now())
        se.dequeue(p, sleep=False, may_delay=False)
        self.kernel.move_queued(p, cpu)
        se.enqueue(cpu, p, 0)
        # Hot nowhere: ENQUEUE_MIGRATED.
        se.exec_start[p] = 0
