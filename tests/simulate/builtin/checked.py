# SPDX-License-Identifier: MIT
"""checked.so (the engine and the shim, undefined behaviour traps) for tests that call the shim itself."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cffi

from scxval.provision.simulators import BUILTIN

POOL_BYTES = 1 << 26

SHIM = """
struct cpumask { uint64_t bits[4]; };
struct bpf_cpumask { struct cpumask cpumask; uint32_t usage; };
struct bpf_iter_bits { uint64_t words[4]; uint32_t nr_words; int bit; };
struct bpf_iter_num { int next; int end; int value; };
struct bpf_rb_root { struct bpf_rb_node *top; uint64_t draws; };
struct bpf_rb_node {
    struct bpf_rb_node *left, *right, *parent;
    struct bpf_rb_root *owner;
    uint64_t priority;
};
struct keyed { struct bpf_rb_node node; int key; int number; };
struct bpf_list_node { struct bpf_list_node *next, *prev; void *owner; };
struct bpf_list_head { struct bpf_list_node *first, *last; };
struct bpf_spin_lock { uint32_t val; };
struct bpf_res_spin_lock { uint32_t val; };
struct bpf_timer { uint64_t opaque[2]; };

void *sim_map(void *object, uint32_t type, uint32_t key_bytes, uint32_t value_bytes,
              uint32_t max_entries);
void *sim_map_lookup(void *map, const void *key, int cpu);
long sim_map_update(void *map, const void *key, const void *value, uint64_t flags);
long sim_map_delete(void *map, const void *key);
long sim_queue_push(void *map, const void *value, uint64_t flags);
long sim_queue_pop(void *map, void *value, _Bool take);
_Bool sim_map_element(void *map, const void *inside, void **key, void **value);

void *sim_obj_new(uint64_t bytes);
void sim_obj_free(void *object);
void *sim_arena_alloc(void *arena, uint32_t max_pages, void *at, uint32_t pages);
void sim_arena_free(void *arena, void *start, uint32_t pages);

long sim_timer_init(struct bpf_timer *timer, void *map, void *object, uint64_t clock);
long sim_timer_set_callback(struct bpf_timer *timer, void *fn);
long bpf_timer_start(struct bpf_timer *timer, uint64_t nsecs, uint64_t flags);
long bpf_timer_cancel(struct bpf_timer *timer);

int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
    _Bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *), void *meta, uint64_t off);
struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node);
struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root);
int bpf_list_push_front_impl(struct bpf_list_head *, struct bpf_list_node *, void *, uint64_t);
int bpf_list_push_back_impl(struct bpf_list_head *, struct bpf_list_node *, void *, uint64_t);
struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head);
struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head);

struct bpf_cpumask *bpf_cpumask_create(void);
struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *);
void bpf_cpumask_release(struct bpf_cpumask *);
uint32_t bpf_cpumask_first(const struct cpumask *);
uint32_t bpf_cpumask_first_zero(const struct cpumask *);
void bpf_cpumask_set_cpu(uint32_t cpu, struct bpf_cpumask *);
void bpf_cpumask_clear_cpu(uint32_t cpu, struct bpf_cpumask *);
_Bool bpf_cpumask_test_cpu(uint32_t cpu, const struct cpumask *);
_Bool bpf_cpumask_test_and_set_cpu(uint32_t cpu, struct bpf_cpumask *);
_Bool bpf_cpumask_test_and_clear_cpu(uint32_t cpu, struct bpf_cpumask *);
void bpf_cpumask_setall(struct bpf_cpumask *);
void bpf_cpumask_clear(struct bpf_cpumask *);
_Bool bpf_cpumask_and(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *);
void bpf_cpumask_or(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *);
void bpf_cpumask_xor(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *);
_Bool bpf_cpumask_equal(const struct cpumask *, const struct cpumask *);
_Bool bpf_cpumask_intersects(const struct cpumask *, const struct cpumask *);
_Bool bpf_cpumask_subset(const struct cpumask *, const struct cpumask *);
_Bool bpf_cpumask_empty(const struct cpumask *);
_Bool bpf_cpumask_full(const struct cpumask *);
void bpf_cpumask_copy(struct bpf_cpumask *, const struct cpumask *);
uint32_t bpf_cpumask_any_distribute(const struct cpumask *);
uint32_t bpf_cpumask_any_and_distribute(const struct cpumask *, const struct cpumask *);
uint32_t bpf_cpumask_weight(const struct cpumask *);
int bpf_cpumask_populate(struct bpf_cpumask *, void *src, size_t bytes);
int bpf_iter_bits_new(struct bpf_iter_bits *, const uint64_t *, uint32_t nr_words);
int *bpf_iter_bits_next(struct bpf_iter_bits *);
int bpf_iter_num_new(struct bpf_iter_num *, int start, int end);
int *bpf_iter_num_next(struct bpf_iter_num *);

void bpf_spin_lock(struct bpf_spin_lock *);
void bpf_spin_unlock(struct bpf_spin_lock *);
int bpf_res_spin_lock(struct bpf_res_spin_lock *);
void bpf_res_spin_unlock(struct bpf_res_spin_lock *);
long bpf_probe_read_kernel(void *dst, uint32_t size, const void *from);
long bpf_probe_read_kernel_str(void *dst, uint32_t size, const void *from);

long sim_format(char *out, uint64_t room, const char *format, const uint64_t *args, uint32_t nr_args);
long sim_printk(const char *format, const uint64_t *args, uint32_t nr_args);
void scx_bpf_error_bstr(char *fmt, unsigned long long *data, uint32_t data_len);

void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *at, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
"""


def engine_api() -> str:
    """The engine's api.h as cffi takes it: without its include guard."""
    text = (BUILTIN / "engine/api.h").read_text()
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


class Checked:
    """One private copy of the library, configured with `nr_cpus` CPUs and nothing else."""

    def __init__(
        self, library: Path, nr_cpus: int, declared: str = SHIM, end_ns: int = 10**9
    ) -> None:
        self.ffi = cffi.FFI()
        self.ffi.cdef(engine_api())
        self.ffi.cdef(declared)
        with tempfile.NamedTemporaryFile(suffix=".so") as copy:
            shutil.copyfile(library, copy.name)
            self.lib: Any = self.ffi.dlopen(copy.name)
        self.nr_cpus = nr_cpus
        self._pool = self.ffi.new("char[]", POOL_BYTES)
        times = dict.fromkeys(("wake_ns", "switch_ns", "ipi_ns"), 1000)
        times |= dict.fromkeys(("tick_ns", "run_scale_ppm"), 1_000_000)
        self._params = self.ffi.new(
            "struct sim_params *", {**times, "end_ns": end_ns, "nr_cpus": nr_cpus}
        )
        assert self.lib.sim_configure(self._params, self._pool, POOL_BYTES) == 0, self.text()

    def text(self) -> str:
        """What the engine has to say about an end."""
        return bytes(self.ffi.string(self.lib.sim_text())).decode()

    def log(self) -> str:
        """The log so far."""
        return bytes(self.ffi.string(self.lib.sim_log_text())).decode()

    def __del__(self) -> None:
        """Unload it: a test by hypothesis makes hundreds."""
        if hasattr(self, "lib"):
            self.ffi.dlclose(self.lib)
