/* SPDX-License-Identifier: MIT */
/*
 * What a policy in Python sees, of the library without a scheduler (models.so); read by cffi after api.h,
 * so: no preprocessor but the guard. Names are the kernel's; a task is a pointer that only functions here
 * look into. Operations that are NULL are left out, as in struct sched_ext_ops.
 */
struct task_struct;

struct sim_policy {
	int (*select_cpu)(struct task_struct *p, int prev_cpu, unsigned long long wake_flags);
	void (*enqueue)(struct task_struct *p, unsigned long long enq_flags);
	void (*dequeue)(struct task_struct *p, unsigned long long deq_flags);
	void (*dispatch)(int cpu, struct task_struct *prev);
	void (*tick)(struct task_struct *p);
	void (*runnable)(struct task_struct *p, unsigned long long enq_flags);
	void (*running)(struct task_struct *p);
	void (*stopping)(struct task_struct *p, _Bool runnable);
	void (*quiescent)(struct task_struct *p, unsigned long long deq_flags);
	_Bool (*yield)(struct task_struct *from, struct task_struct *to);
	void (*update_idle)(int cpu, _Bool idle);
	void (*enable)(struct task_struct *p);
	void (*disable)(struct task_struct *p);
	int (*init)(void);
	unsigned long long flags;
	unsigned int timeout_ms;
	unsigned int dispatch_max_batch;
};

/* Before sim_start. The policy is copied; the functions it points to must stay. */
void sim_set_policy(const struct sim_policy *policy);
/* The simulation ends as the engine's own fault: an operation raised an exception. */
void sim_policy_failed(const char *text);

int scx_bpf_create_dsq(unsigned long long dsq_id, int node);
_Bool scx_bpf_dsq_insert(struct task_struct *p, unsigned long long dsq_id, unsigned long long slice,
			 unsigned long long enq_flags);
_Bool scx_bpf_dsq_insert_vtime(struct task_struct *p, unsigned long long dsq_id, unsigned long long slice,
			       unsigned long long vtime, unsigned long long enq_flags);
_Bool scx_bpf_dsq_move_to_local(unsigned long long dsq_id);
int scx_bpf_dsq_nr_queued(unsigned long long dsq_id);
void scx_bpf_kick_cpu(int cpu, unsigned long long flags);
int scx_bpf_select_cpu_dfl(struct task_struct *p, int prev_cpu, unsigned long long wake_flags, _Bool *is_idle);
_Bool scx_bpf_test_and_clear_cpu_idle(int cpu);
/* scx_bpf_pick_idle_cpu(p->cpus_ptr, flags) */
int sim_pick_idle_cpu(struct task_struct *p, unsigned long long flags);
_Bool sim_cpu_is_idle(int cpu);
_Bool scx_bpf_task_running(const struct task_struct *p);
int scx_bpf_task_cpu(const struct task_struct *p);
struct task_struct *scx_bpf_cpu_curr(int cpu);
unsigned long long scx_bpf_now(void);
unsigned int scx_bpf_nr_cpu_ids(void);
int sim_cpu(void);
int sim_cpu_llc(int cpu);

/* Fields of a task. `index` counts from 0; an idle task's is beyond SIM_MAX_TASKS. */
unsigned int sim_p_index(const struct task_struct *p);
int sim_p_pid(const struct task_struct *p);
_Bool sim_p_allowed(const struct task_struct *p, int cpu);
int sim_p_nr_cpus_allowed(const struct task_struct *p);
unsigned int sim_p_weight(const struct task_struct *p);
int sim_p_nice(const struct task_struct *p);
unsigned long long sim_p_slice(const struct task_struct *p);
void sim_p_set_slice(struct task_struct *p, unsigned long long slice);
unsigned long long sim_p_dsq_vtime(const struct task_struct *p);
void sim_p_set_dsq_vtime(struct task_struct *p, unsigned long long vtime);
/* CPU time so far in ns, of the running task up to now. */
unsigned long long sim_p_runtime(const struct task_struct *p);
