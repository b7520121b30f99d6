/* SPDX-License-Identifier: MIT */
/*
 * bpf_timer on the engine's timers. As in the kernel (7.2: bpf_timer_* in kernel/bpf/helpers.c) the
 * callback is given the map, the key and the value that hold the timer. A timer that is not pinned runs on
 * the CPU that started it, as a kernel timer does while timers do not migrate between CPUs.
 */
#include "map.h"

struct timer_state {
	struct sim_timer timer;
	void *object;
	void *key;
	void *value;
	int (*callback)(void *map, void *key, void *value);
	bool running;
};

static struct timer_state *state_of(struct bpf_timer *timer)
{
	return (struct timer_state *)timer->__opaque[0];
}

static void expired(struct sim_timer *timer)
{
	struct timer_state *state = container_of(timer, struct timer_state, timer);

	state->running = true;
	state->callback(state->object, state->key, state->value);
	state->running = false;
}

long sim_timer_init(struct bpf_timer *timer, struct sim_map *map, void *object, u64 clock)
{
	struct timer_state *state;

	/* CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME are one clock here. */
	if (clock != 1 && clock != 0 && clock != 7)
		return -EINVAL;
	if (state_of(timer))
		return -EBUSY;
	state = map ? sim_need(sizeof(*state)) : NULL;
	if (!state)
		return -ENOMEM;
	if (!sim_map_element(map, timer, &state->key, &state->value))
		return -EINVAL;
	state->timer.fn = expired;
	state->object = object;
	timer->__opaque[0] = (u64)state;
	return 0;
}

long sim_timer_set_callback(struct bpf_timer *timer, void *fn)
{
	if (!state_of(timer))
		return -EINVAL;
	state_of(timer)->callback = (int (*)(void *, void *, void *))fn;
	return 0;
}

long bpf_timer_start(struct bpf_timer *timer, u64 nsecs, u64 flags)
{
	struct timer_state *state = state_of(timer);
	u64 from_ns = flags & BPF_F_TIMER_ABS ? 0 : sim_now();

	if (flags & ~(u64)(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN) || !state || !state->callback)
		return -EINVAL;
	sim_timer_arm(&state->timer, from_ns + nsecs, sim_this_cpu());
	return 0;
}

long bpf_timer_cancel(struct bpf_timer *timer)
{
	struct timer_state *state = state_of(timer);
	bool was;

	if (!state)
		return -EINVAL;
	if (state->running)
		return -EDEADLK;
	was = state->timer.armed;
	sim_timer_cancel(&state->timer);
	return was;
}
