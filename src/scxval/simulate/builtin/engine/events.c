/* SPDX-License-Identifier: MIT */
/* What is to happen, in a binary heap; those of one time in the order in which they were planned. */
#include "engine.h"

#define MAX_EVENTS (1U << 16)

static struct event *heap;
static u32 nr;
static u64 next_seq;

static bool earlier(const struct event *a, const struct event *b)
{
	return a->time != b->time ? a->time < b->time : a->seq < b->seq;
}

bool events_setup(void)
{
	heap = sim_alloc(sizeof(*heap) * MAX_EVENTS);
	nr = 0;
	next_seq = 0;
	return heap;
}

void event_at(u64 time, u32 type, u32 index, u64 gen, struct sim_timer *timer)
{
	struct event new = { time, next_seq++, type, index, gen, timer };
	u32 at = nr;

	if (nr == MAX_EVENTS) {
		sim_end_with(SIM_BROKEN, "more than %u events are planned", MAX_EVENTS);
		return;
	}
	nr++;
	for (; at && earlier(&new, &heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = new;
}

bool event_next(struct event *out)
{
	struct event last;
	u32 at = 0;

	if (!nr)
		return false;
	*out = heap[0];
	last = heap[--nr];
	for (;;) {
		u32 child = 2 * at + 1;

		if (child >= nr)
			break;
		if (child + 1 < nr && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!earlier(&heap[child], &last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	if (nr)
		heap[at] = last;
	return true;
}
