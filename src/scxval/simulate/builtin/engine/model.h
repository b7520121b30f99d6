/* SPDX-License-Identifier: MIT */
/*
 * What a policy in Python is made of; read by cffi as it stands, after api.h. Only the library `models`
 * has these. A task is a pointer that is good while the task lives; what is known of it is asked for here.
 */
struct task_struct;

/* The scheduler's operations, set before sim_start(); one that is not set is not there. */
void sim_model_set_select_cpu(int32_t (*fn)(struct task_struct *p, int32_t prev_cpu, uint64_t wake_flags));
void sim_model_set_enqueue(void (*fn)(struct task_struct *p, uint64_t enq_flags));
void sim_model_set_dequeue(void (*fn)(struct task_struct *p, uint64_t deq_flags));
void sim_model_set_dispatch(void (*fn)(int32_t cpu, struct task_struct *prev));
void sim_model_set_tick(void (*fn)(struct task_struct *p));
void sim_model_set_runnable(void (*fn)(struct task_struct *p, uint64_t enq_flags));
void sim_model_set_running(void (*fn)(struct task_struct *p));
void sim_model_set_stopping(void (*fn)(struct task_struct *p, bool runnable));
void sim_model_set_quiescent(void (*fn)(struct task_struct *p, uint64_t deq_flags));
void sim_model_set_yield(bool (*fn)(struct task_struct *from, struct task_struct *to));
void sim_model_set_set_weight(void (*fn)(struct task_struct *p, uint32_t weight));
void sim_model_set_set_cpumask(void (*fn)(struct task_struct *p));
void sim_model_set_update_idle(void (*fn)(int32_t cpu, bool idle));
void sim_model_set_init_task(int32_t (*fn)(struct task_struct *p));
void sim_model_set_exit_task(void (*fn)(struct task_struct *p));
void sim_model_set_enable(void (*fn)(struct task_struct *p));
void sim_model_set_disable(void (*fn)(struct task_struct *p));
void sim_model_set_cgroup_init(int32_t (*fn)(uint64_t cgroup_id, uint32_t weight));
void sim_model_set_init(int32_t (*fn)(void));
void sim_model_set_exit(void (*fn)(void));
void sim_model_set_flags(uint64_t flags);
void sim_model_set_timeout_ms(uint32_t timeout_ms);

/* scx_bpf_error(), and the end for a fault of the policy's own program. */
void sim_model_error(const char *text);
void sim_model_broken(const char *text);
void sim_model_log(const char *text);

/* kfuncs, flat; those of scx/common.bpf.h without the part after the name. */
int32_t sim_model_create_dsq(uint64_t dsq_id);
void sim_model_destroy_dsq(uint64_t dsq_id);
int32_t sim_model_dsq_nr_queued(uint64_t dsq_id);
bool sim_model_dsq_insert(struct task_struct *p, uint64_t dsq_id, uint64_t slice, uint64_t enq_flags);
bool sim_model_dsq_insert_vtime(struct task_struct *p, uint64_t dsq_id, uint64_t slice, uint64_t vtime,
				uint64_t enq_flags);
bool sim_model_dsq_move_to_local(uint64_t dsq_id);
/* The tasks of a dispatch queue in its order, at most `nr`; how many. */
uint32_t sim_model_dsq_tasks(uint64_t dsq_id, struct task_struct **out, uint32_t nr);
/* Of a queue that the scheduler made, into another or a local one; false when it is not there any more. */
bool sim_model_dsq_move(uint64_t from_dsq_id, struct task_struct *p, uint64_t dsq_id, uint64_t enq_flags);
void sim_model_kick_cpu(int32_t cpu, uint64_t flags);
/* The CPU; *is_idle says whether it was idle and is now claimed. */
int32_t sim_model_select_cpu_dfl(struct task_struct *p, int32_t prev_cpu, uint64_t wake_flags, bool *is_idle);
int32_t sim_model_pick_idle_cpu(struct task_struct *p, uint64_t flags);
bool sim_model_test_and_clear_cpu_idle(int32_t cpu);
uint64_t sim_model_now(void);
struct task_struct *sim_model_cpu_curr(int32_t cpu);

/* Tasks */
int32_t sim_model_task_pid(const struct task_struct *p);
int32_t sim_model_task_tgid(const struct task_struct *p);
uint32_t sim_model_task_index(const struct task_struct *p);
int32_t sim_model_task_cpu(const struct task_struct *p);
bool sim_model_task_running(const struct task_struct *p);
bool sim_model_task_is_idle(const struct task_struct *p);
uint32_t sim_model_task_weight(const struct task_struct *p);
int32_t sim_model_task_nice(const struct task_struct *p);
uint32_t sim_model_task_flags(const struct task_struct *p);
uint64_t sim_model_task_runtime(const struct task_struct *p);
uint64_t sim_model_task_slice(const struct task_struct *p);
void sim_model_task_set_slice(struct task_struct *p, uint64_t slice);
uint64_t sim_model_task_vtime(const struct task_struct *p);
void sim_model_task_set_vtime(struct task_struct *p, uint64_t vtime);
bool sim_model_task_allows(const struct task_struct *p, int32_t cpu);
int32_t sim_model_task_nr_cpus_allowed(const struct task_struct *p);
uint64_t sim_model_task_cgroup(const struct task_struct *p);

/* Timers of the policy's own: fn(token) on `cpu` at `at_ns`, once. A token's timer is armed anew by a call. */
void sim_model_set_timer(void (*fn)(uint32_t token));
int sim_model_timer_arm(uint32_t token, uint64_t at_ns, int32_t cpu);

enum { SIM_MODEL_TIMERS = 64 };
