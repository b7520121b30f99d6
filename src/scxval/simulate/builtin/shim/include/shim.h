/* SPDX-License-Identifier: MIT */
/*
 * What is behind the macros of the shim's BPF headers. A return value below zero is an error number, as
 * the kernel's helpers have it (7.2: kernel/bpf/arraymap.c, hashtab.c, queue_stack_maps.c,
 * bpf_local_storage.c, helpers.c, arena.c).
 */
#ifndef SCXVAL_SHIM_H
#define SCXVAL_SHIM_H

#include "../../engine/host.h"

struct sim_map;

/* The map whose declaration is at `object`, made when first asked for. NULL when memory is used up. */
struct sim_map *sim_map(void *object, u32 type, u32 key_bytes, u32 value_bytes, u32 max_entries);
void *sim_map_lookup(struct sim_map *map, const void *key, s32 cpu);
long sim_map_update(struct sim_map *map, const void *key, const void *value, u64 flags);
long sim_map_delete(struct sim_map *map, const void *key);
long sim_queue_push(struct sim_map *map, const void *value, u64 flags);
long sim_queue_pop(struct sim_map *map, void *value, bool take);
/* The key and value that hold `inside`, an address within a value; false when there is none. */
bool sim_map_element(struct sim_map *map, const void *inside, void **key, void **value);

void *sim_task_storage_get(struct sim_map *map, struct task_struct *p, const void *value, u64 flags);
long sim_task_storage_delete(struct sim_map *map, struct task_struct *p);
void *sim_cgrp_storage_get(struct sim_map *map, struct cgroup *cgrp, const void *value, u64 flags);
long sim_cgrp_storage_delete(struct sim_map *map, struct cgroup *cgrp);

long sim_timer_init(struct bpf_timer *timer, struct sim_map *map, void *object, u64 clock);
long sim_timer_set_callback(struct bpf_timer *timer, void *fn);

/* Zeroed memory that may be given back; blocks of one size are used again. */
void *sim_obj_new(u64 bytes);
void sim_obj_free(void *object);

void *sim_arena_alloc(void *arena, u32 max_pages, void *at, u32 pages);
void sim_arena_free(void *arena, void *start, u32 pages);

/* False once a program has gone around its loops BPF_MAX_LOOPS times, as the kernel's may_goto. */
bool sim_may_loop(void);

/*
 * The kernel's bstr_printf with what bpf_bprintf_prepare allows: the bytes written without the final
 * zero (at most `room` - 1), or -EINVAL for a format that the kernel refuses.
 */
long sim_format(char *out, u64 room, const char *format, const u64 *args, u32 nr_args);
long sim_printk(const char *format, const u64 *args, u32 nr_args);

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *at, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
