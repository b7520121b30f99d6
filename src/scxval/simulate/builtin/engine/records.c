/* SPDX-License-Identifier: MIT */
/* The events that the caller gets, straight into its buffer. */
#include "engine.h"

/* More than one event handler ever writes: it may complete a record that it wrote before. */
#define HEADROOM 32768

static struct sim_record *out, spare;
static u64 room, written;

void record_into(struct sim_record *records, u64 nr)
{
	out = records;
	room = nr;
	written = 0;
}

u64 records_written(void)
{
	return written;
}

bool records_full(void)
{
	return written + HEADROOM > room;
}

struct sim_record *record(u32 kind, const struct sim_task *p)
{
	struct sim_record *r;

	/* While the scheduler is attached there is no buffer yet: ops.init may kick a CPU (scx_central). */
	if (!out)
		return &spare;
	if (written == room) {
		sim_end_with(SIM_BROKEN, "one event made more than %u records", HEADROOM);
		return &spare;
	}
	r = &out[written++];
	*r = (struct sim_record){
		.time_ns = (s64)S.now,
		.cpu = (s16)S.this_cpu,
		.kind = (u8)kind,
		.tid = p ? p->ts.pid : 0,
	};
	return r;
}

struct sim_record *record_about(u32 kind, const struct sim_task *p, u32 cpu)
{
	struct sim_record *r = record(kind, p);

	r->other_cpu = (s16)cpu;
	r->other_tid = rq_of(S.this_cpu)->curr->ts.pid;
	r->has = SIM_HAS_OTHER_CPU | SIM_HAS_OTHER_TID;
	return r;
}
