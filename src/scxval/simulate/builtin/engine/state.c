/* SPDX-License-Identifier: MIT */
/* The one machine of this instance, and the memory that it lives on. */
#include "engine.h"

struct sim S;

/* A scheduler's file defines one of these; both stay empty in a library of models until Python fills them. */
struct sched_ext_ops *sim_ops __attribute__((weak));
struct sched_ext_ops_cid *sim_cid_ops __attribute__((weak));

static char *pool;
static u64 pool_left;

void pool_give(void *memory, u64 bytes)
{
	pool = memory;
	pool_left = bytes;
}

void *sim_alloc(u64 bytes)
{
	char *found = pool;

	bytes = (bytes + 63) & ~63ULL;
	if (bytes > pool_left)
		return NULL;
	pool += bytes;
	pool_left -= bytes;
	return found;
}
