# SPDX-License-Identifier: MIT
"""EEVDF on per-CPU runqueues as kernel/sched/fair.c of 7.2 does it: virtual time, lag, placement and pick.

Every function here has the name of the kernel's that it follows. All weights are scale_load_down()'s (1024 at
nice 0), all arithmetic is in integers: calc_delta_fair() divides where the kernel multiplies by a rounded
inverse, so a vruntime may differ from a kernel's by parts in 2^32. A runqueue is a list in the order of
arrival, as the kernel's tree breaks ties.
"""

from __future__ import annotations

NONE = -1
NICE_0_LOAD = 1024
BASE_SLICE_NS = 700_000
ENQUEUE_INITIAL = 0x0008_0000


def base_slice_ns(nr_cpus: int) -> int:
    """sysctl_sched_base_slice after update_sysctl(): the factor of get_update_sysctl_factor()."""
    return BASE_SLICE_NS * min(nr_cpus, 8).bit_length()


class Entities:
    """struct sched_entity of all tasks and struct cfs_rq of all CPUs, as lists by task and by CPU.

    No task has a slice of its own (sched_attr.sched_runtime), so slices are equal: PREEMPT_SHORT and the
    shorter protection of RUN_TO_PARITY cannot apply.
    """

    def __init__(self, nr_cpus: int, tick_ns: int) -> None:
        self.slice_ns = base_slice_ns(nr_cpus)
        self._lag_limit_ns = self.slice_ns + tick_ns
        self.vruntime: list[int] = []
        self.deadline: list[int] = []
        self.vlag: list[int] = []
        self.vprot: list[int] = []
        self.weight: list[int] = []
        self.exec_start: list[int] = []
        self.on_rq: list[bool] = []
        self.delayed: list[bool] = []
        self.rel_deadline: list[bool] = []
        self.cpu: list[int] = []
        self.curr = [NONE] * nr_cpus
        # Those that wait, delayed ones among them; not the current task.
        self.queue: list[list[int]] = [[] for _ in range(nr_cpus)]
        self.zero = [0] * nr_cpus

    def add(self, p: int, weight: int) -> None:
        """Make room for tasks up to `p`, and give it its weight."""
        more = p + 1 - len(self.weight)
        numbers = (
            self.vruntime,
            self.deadline,
            self.vlag,
            self.vprot,
            self.exec_start,
            self.weight,
        )
        for column in (*numbers, self.cpu):
            column.extend([0] * more)
        for flag in (self.on_rq, self.delayed, self.rel_deadline):
            flag.extend([False] * more)
        self.weight[p] = weight

    def calc_delta_fair(self, delta: int, p: int) -> int:
        """Time of the wall as virtual time of a task."""
        weight = self.weight[p]
        return delta if weight == NICE_0_LOAD else delta * NICE_0_LOAD // weight

    def nr_queued(self, cpu: int) -> int:
        """cfs_rq->nr_queued: with the current task and delayed ones."""
        return len(self.queue[cpu]) + (self.curr[cpu] != NONE)

    def nr_runnable(self, cpu: int) -> int:
        """cfs_rq->h_nr_runnable: without delayed ones."""
        delayed = self.delayed
        return sum(not delayed[p] for p in self.queue[cpu]) + (self.curr[cpu] != NONE)

    def _sums(self, cpu: int) -> tuple[int, int]:
        vruntime, weights, zero = self.vruntime, self.weight, self.zero[cpu]
        total = weight = 0
        for p in self.queue[cpu]:
            w = weights[p]
            total += (vruntime[p] - zero) * w
            weight += w
        p = self.curr[cpu]
        if p != NONE:
            w = weights[p]
            total += (vruntime[p] - zero) * w
            weight += w
        return total, weight

    def avg_vruntime(self, cpu: int) -> int:
        """The weighted average of all vruntimes, V, rounded down; it becomes the runqueue's zero point."""
        total, weight = self._sums(cpu)
        if weight:
            self.zero[cpu] += total // weight
        return self.zero[cpu]

    def eligible(self, cpu: int, p: int) -> bool:
        """entity_eligible(): the task has had no more than its share."""
        total, weight = self._sums(cpu)
        return (self.vruntime[p] - self.zero[cpu]) * weight <= total

    def update_entity_lag(self, cpu: int, p: int) -> None:
        """Remember how far the task is behind V (or ahead, negative), within entity_lag()'s limit."""
        limit = self.calc_delta_fair(self._lag_limit_ns, p)
        vlag = max(-limit, min(limit, self.avg_vruntime(cpu) - self.vruntime[p]))
        if self.delayed[p]:
            # DELAY_ZERO
            vlag = min(max(vlag, self.vlag[p]), 0)
        self.vlag[p] = vlag

    def place_entity(self, cpu: int, p: int, flags: int) -> None:
        """Where a task joins: V less its lag (PLACE_LAG), inflated for what its weight does to V."""
        vruntime, lag = self.avg_vruntime(cpu), 0
        if self.vlag[p] and self.nr_queued(cpu):
            load = self._sums(cpu)[1]
            lag = _div(self.vlag[p] * (load + self.weight[p]), load)
        self.vruntime[p] = vruntime - lag
        if self.rel_deadline[p]:
            # PLACE_REL_DEADLINE
            self.deadline[p] += self.vruntime[p]
            self.rel_deadline[p] = False
            return
        vslice = self.calc_delta_fair(self.slice_ns, p)
        if flags & ENQUEUE_INITIAL:
            # PLACE_DEADLINE_INITIAL
            vslice //= 2
        self.deadline[p] = self.vruntime[p] + vslice

    def update_curr(self, cpu: int, now: int) -> bool:
        """Charge the current task; true when it has to make way (its request is done, or its protection)."""
        p = self.curr[cpu]
        if p == NONE:
            return False
        delta = now - self.exec_start[p]
        if delta <= 0:
            return False
        self.exec_start[p] = now
        self.vruntime[p] += self.calc_delta_fair(delta, p)
        done = self.update_deadline(cpu, p)
        return bool(self.queue[cpu]) and (done or self.vruntime[p] >= self.vprot[p])

    def update_deadline(self, cpu: int, p: int) -> bool:
        """Give a task that has had its slice the next deadline; whether it had."""
        if self.vruntime[p] < self.deadline[p]:
            return False
        self.deadline[p] = self.vruntime[p] + self.calc_delta_fair(self.slice_ns, p)
        self.avg_vruntime(cpu)
        return True

    def pick_eevdf(self, cpu: int) -> int:
        """The earliest deadline of those that are eligible; the current task while it is protected."""
        curr, queue = self.curr[cpu], self.queue[cpu]
        if not queue:
            return curr
        if curr == NONE and len(queue) == 1:
            return queue[0]
        vruntime, deadline = self.vruntime, self.deadline
        total, weight = self._sums(cpu)
        zero = self.zero[cpu]
        best = NONE
        if curr != NONE and (vruntime[curr] - zero) * weight <= total:
            # RUN_TO_PARITY: protect_slice()
            if vruntime[curr] < self.vprot[curr]:
                return curr
            best = curr
        # The average is exact, so somebody is never above it.
        for p in queue:
            if (vruntime[p] - zero) * weight <= total and (
                best == NONE
                or deadline[p] < deadline[best]
                or (best == curr and deadline[p] == deadline[best])
            ):
                best = p
        return best

    # -- on to a runqueue and off it

    def enqueue(self, cpu: int, p: int, flags: int) -> None:
        """enqueue_entity() of a task that is on no runqueue."""
        self.place_entity(cpu, p, flags)
        self.queue[cpu].append(p)
        self.cpu[p] = cpu
        self.on_rq[p] = True

    def requeue_delayed(self, p: int) -> None:
        """requeue_delayed_entity(): it wakes before it was taken off."""
        cpu = self.cpu[p]
        self.update_entity_lag(cpu, p)
        self.queue[cpu].remove(p)
        self.place_entity(cpu, p, 0)
        self.queue[cpu].append(p)
        self.delayed[p] = False

    def dequeue(self, p: int, sleep: bool, may_delay: bool) -> None:
        """dequeue_entity(): a task that sleeps above its share stays until it would be picked
        (DELAY_DEQUEUE), so that it cannot sleep its debt away."""
        cpu = self.cpu[p]
        current = self.curr[cpu] == p
        if sleep and may_delay and not self.delayed[p] and not self.eligible(cpu, p):
            self.update_entity_lag(cpu, p)
            self.delayed[p] = True
            if current:
                self.curr[cpu] = NONE
                self.queue[cpu].append(p)
            return
        self.update_entity_lag(cpu, p)
        if not sleep:
            self.deadline[p] -= self.vruntime[p]
            self.rel_deadline[p] = True
        if current:
            self.curr[cpu] = NONE
        else:
            self.queue[cpu].remove(p)
        self.on_rq[p] = False
        self.delayed[p] = False

    def set_next(self, cpu: int, p: int, now: int) -> None:
        """set_next_entity(): it runs, and is protected for its slice."""
        if p in self.queue[cpu]:
            self.queue[cpu].remove(p)
        self.curr[cpu] = p
        self.exec_start[p] = now
        self.vprot[p] = self.deadline[p]

    def put_prev(self, cpu: int, p: int) -> None:
        """put_prev_entity() of a task that goes on waiting."""
        self.curr[cpu] = NONE
        self.queue[cpu].append(p)


def _div(value: int, by: int) -> int:
    """C's division, towards zero."""
    return value // by if value >= 0 else -(-value // by)
