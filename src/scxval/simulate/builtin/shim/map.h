/* SPDX-License-Identifier: MIT */
/* A map's state, for the shim's own files. */
#ifndef SCXVAL_MAP_H
#define SCXVAL_MAP_H

#include <asm-generic/errno.h>
#include <bpf/bpf_helpers.h>

#include "kfuncs.h"

struct sim_map {
	u32 type;
	u32 key_bytes;
	u32 value_bytes;
	u32 stride;		/* value_bytes, rounded up to 8 as in the kernel */
	u32 max_entries;
	u8 *values;		/* array (of each CPU in turn), queue, or storage by index */
	u32 *keys;		/* array: the index as a callback's key, by entry */
	u64 *present;		/* storage: a bit for each index that has a value */
	u32 nr;			/* elements of a hash, a queue or a stack */
	u32 head;		/* queue: where the next is pushed */
	struct sim_element **buckets;
	struct sim_element *spare;
	u32 bucket_mask;
};

struct sim_element {
	struct sim_element *next;
	u64 bytes[];		/* the key, rounded up to 8 bytes, then the value */
};

/* As sim_alloc; the scheduler is ended when memory is used up. */
void *sim_need(u64 bytes);

#endif
