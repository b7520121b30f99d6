/* SPDX-License-Identifier: MIT */
/*
 * What libbpf's header of this name gives a BPF program, for a program that runs natively: attributes,
 * maps, loops, and the helpers. Names and meanings are libbpf's and the kernel's (include/uapi/linux/bpf.h
 * of 7.2); the code behind them is in the shim's .c files.
 */
#ifndef SCXVAL_BPF_HELPERS_H
#define SCXVAL_BPF_HELPERS_H

#include "vmlinux.h"
#include "shim.h"

/* Sections and type tags tell the BPF loader what a thing is; here there is no loader. */
#define SEC(name) __attribute__((used))
#define __hidden
#define __kconfig
/*
 * Never weak: what a scheduler of this kernel's source tests for with bpf_ksym_exists, the kernel has. If
 * the simulation has not, the library must fail to link, or the scheduler would take another way than on
 * the kernel.
 */
#define __ksym
#define __weak
#define bpf_ksym_exists(sym) (!!(sym))
#define __kptr
#define __kptr_untrusted
#define __percpu_kptr
#define __uptr
#define __noinline __attribute__((noinline))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __arg_ctx
#define __arg_nonnull
#define __arg_nullable
#define __arg_trusted
#define __arg_arena

#define barrier() asm volatile("" ::: "memory")
#define barrier_var(var) asm volatile("" : "+r"(var))
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#endif

#define ___bpf_concat(a, b) a##b
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#define ___bpf_nth(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _a, _b, _c, N, ...) N
#define ___bpf_narg(...) \
	___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define ___bpf_fill0(arr, p, x) do { } while (0)
#define ___bpf_fill1(arr, p, x) arr[p] = (unsigned long long)(x)
#define ___bpf_fill2(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill1(arr, p + 1, args)
#define ___bpf_fill3(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill2(arr, p + 1, args)
#define ___bpf_fill4(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill3(arr, p + 1, args)
#define ___bpf_fill5(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill4(arr, p + 1, args)
#define ___bpf_fill6(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill5(arr, p + 1, args)
#define ___bpf_fill7(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill6(arr, p + 1, args)
#define ___bpf_fill8(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill7(arr, p + 1, args)
#define ___bpf_fill9(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill8(arr, p + 1, args)
#define ___bpf_fill10(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill9(arr, p + 1, args)
#define ___bpf_fill11(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill10(arr, p + 1, args)
#define ___bpf_fill12(arr, p, x, args...) ___bpf_fill1(arr, p, x); ___bpf_fill11(arr, p + 1, args)
#define ___bpf_fill(arr, args...) ___bpf_apply(___bpf_fill, ___bpf_narg(args))(arr, 0, args)

#define bpf_printk(fmt, args...) \
({ \
	static char ___fmt[] = fmt; \
	unsigned long long ___param[___bpf_narg(args) ?: 1] = {}; \
	___bpf_fill(___param, args); \
	sim_printk(___fmt, ___param, ___bpf_narg(args)); \
})

/*
 * A map's declaration is a struct of null pointers whose types hold its attributes. Both ways to give a
 * size (__type and __uint) end as a pointer to an array of that length. The first word of the object is
 * where the shim keeps the map's state.
 */
#define __uint(name, val) int (*name)[val]
#define __ulong(name, val) enum { ___bpf_concat(__unused_value_, __COUNTER__) = 1 } name
#define __type(name, val) typeof(val) *name; int (*name##_size)[sizeof(val)]
#define __array(name, val) typeof(val) *name[]
#define SIM_ATTR(map, name) (sizeof(*(map)->name) / sizeof(int))

/* The enumerator keeps the compiler's line short: it is the reason that a user reads. */
#define SIM_MAP_IS(map, a, b, c) \
	enum { \
		modelled = SIM_ATTR(map, type) == (a) || SIM_ATTR(map, type) == (b) || \
			   SIM_ATTR(map, type) == (c), \
	}; \
	_Static_assert(modelled, "this type of map, or this helper for it, is not modelled")

/* The value of a map by its key. */
#define SIM_KEYED(map) \
({ \
	SIM_MAP_IS(map, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_HASH); \
	sim_map(map, SIM_ATTR(map, type), SIM_ATTR(map, key_size), SIM_ATTR(map, value_size), \
		SIM_ATTR(map, max_entries)); \
})
#define bpf_map_lookup_elem(map, key) sim_map_lookup(SIM_KEYED(map), key, sim_this_cpu())
#define bpf_map_lookup_percpu_elem(map, key, cpu) \
({ \
	SIM_MAP_IS(map, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY); \
	sim_map_lookup(SIM_KEYED(map), key, (s32)(cpu)); \
})
#define bpf_map_update_elem(map, key, value, flags) sim_map_update(SIM_KEYED(map), key, value, flags)
#define bpf_map_delete_elem(map, key) sim_map_delete(SIM_KEYED(map), key)

#define SIM_QUEUE(map) \
({ \
	SIM_MAP_IS(map, BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_STACK); \
	sim_map(map, SIM_ATTR(map, type), 0, SIM_ATTR(map, value_size), SIM_ATTR(map, max_entries)); \
})
#define bpf_map_push_elem(map, value, flags) sim_queue_push(SIM_QUEUE(map), value, flags)
#define bpf_map_pop_elem(map, value) sim_queue_pop(SIM_QUEUE(map), value, true)
#define bpf_map_peek_elem(map, value) sim_queue_pop(SIM_QUEUE(map), value, false)

/* Storage of a task or a cgroup. */
#define SIM_STORAGE(map, kind) \
({ \
	SIM_MAP_IS(map, kind, kind, kind); \
	sim_map(map, SIM_ATTR(map, type), 0, SIM_ATTR(map, value_size), 0); \
})
#define SIM_TASK_STORAGE(map) SIM_STORAGE(map, BPF_MAP_TYPE_TASK_STORAGE)
#define SIM_CGRP_STORAGE(map) SIM_STORAGE(map, BPF_MAP_TYPE_CGRP_STORAGE)
#define bpf_task_storage_get(map, task, value, flags) \
	sim_task_storage_get(SIM_TASK_STORAGE(map), task, (const void *)(value), flags)
#define bpf_task_storage_delete(map, task) sim_task_storage_delete(SIM_TASK_STORAGE(map), task)
#define bpf_cgrp_storage_get(map, cgrp, value, flags) \
	sim_cgrp_storage_get(SIM_CGRP_STORAGE(map), cgrp, (const void *)(value), flags)
#define bpf_cgrp_storage_delete(map, cgrp) sim_cgrp_storage_delete(SIM_CGRP_STORAGE(map), cgrp)

#define bpf_timer_init(timer, map, clock) \
	sim_timer_init(timer, SIM_KEYED(map), (void *)(map), clock)
#define bpf_timer_set_callback(timer, fn) sim_timer_set_callback(timer, (void *)(fn))

#define bpf_kptr_xchg(slot, ptr) \
({ \
	void **___slot = (void **)(slot), *___old = *___slot; \
	*___slot = (ptr); \
	___old; \
})

/* Loops. The second test of bpf_for is libbpf's own: the bounds are evaluated at each turn. */
#define bpf_for_each(type, cur, args...) for ( \
	struct bpf_iter_##type ___it __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))), \
		*___p __attribute__((unused)) = ( \
			bpf_iter_##type##_new(&___it, ##args), \
			(void)bpf_iter_##type##_destroy, (void *)0); \
	(((cur) = bpf_iter_##type##_next(&___it)));)

#define bpf_for(i, start, end) for ( \
	struct bpf_iter_num ___it __attribute__((cleanup(bpf_iter_num_destroy))), \
		*___p __attribute__((unused)) = ( \
			bpf_iter_num_new(&___it, (start), (end)), \
			(void)bpf_iter_num_destroy, (void *)0); \
	({ \
		int *___t = bpf_iter_num_next(&___it); \
		(___t && ((i) = *___t, (i) >= (start) && (i) < (end))); \
	});)

#define bpf_repeat(N) for ( \
	struct bpf_iter_num ___it __attribute__((cleanup(bpf_iter_num_destroy))), \
		*___p __attribute__((unused)) = ( \
			bpf_iter_num_new(&___it, 0, (N)), \
			(void)bpf_iter_num_destroy, (void *)0); \
	bpf_iter_num_next(&___it);)

int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
int *bpf_iter_num_next(struct bpf_iter_num *it);
void bpf_iter_num_destroy(struct bpf_iter_num *it);

long bpf_timer_start(struct bpf_timer *timer, u64 nsecs, u64 flags);
long bpf_timer_cancel(struct bpf_timer *timer);
void bpf_spin_lock(struct bpf_spin_lock *lock);
void bpf_spin_unlock(struct bpf_spin_lock *lock);
u64 bpf_ktime_get_ns(void);
u64 bpf_ktime_get_boot_ns(void);
u32 bpf_get_smp_processor_id(void);
u32 bpf_get_prandom_u32(void);
u64 bpf_get_current_pid_tgid(void);
struct task_struct *bpf_get_current_task_btf(void);
long bpf_probe_read_kernel(void *dst, u32 size, const void *unsafe_ptr);
long bpf_probe_read_kernel_str(void *dst, u32 size, const void *unsafe_ptr);
void *bpf_per_cpu_ptr(const void *percpu_ptr, u32 cpu);

#endif
