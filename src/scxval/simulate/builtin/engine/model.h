/* SPDX-License-Identifier: MIT */
/*
 * What a policy in Python sees, of the library without a scheduler (models.so); read by cffi after api.h,
 * so: no preprocessor but the guard. A task is its index, as sim_add_task gave it: a small integer costs
 * Python nothing, where a pointer is an object a call. The idle task, and no task, is -1. Operations that
 * are NULL are left out, as in struct sched_ext_ops. sim_<name> is scx_bpf_<name>() of the kernel where there is
 * such a kfunc; the time is sim_time().
 */
struct sim_policy {
	int (*select_cpu)(int p, int prev_cpu, unsigned long long wake_flags);
	void (*enqueue)(int p, unsigned long long enq_flags);
	void (*dequeue)(int p, unsigned long long deq_flags);
	void (*dispatch)(int cpu, int prev);
	void (*tick)(int p);
	void (*runnable)(int p, unsigned long long enq_flags);
	void (*running)(int p);
	void (*stopping)(int p, _Bool runnable);
	void (*quiescent)(int p, unsigned long long deq_flags);
	_Bool (*yield)(int from, int to);
	void (*set_cpumask)(int p);
	void (*update_idle)(int cpu, _Bool idle);
	void (*enable)(int p);
	void (*disable)(int p);
	int (*init)(void);
	/* What a policy's user-space half does, every `period_ns` from there on; on CPU 0. 0: never. */
	void (*period)(void);
	unsigned long long period_ns;
	unsigned long long flags;
	unsigned int timeout_ms;
	unsigned int dispatch_max_batch;
};

/* Between sim_configure and sim_start. The policy is copied; the functions it points to must stay. */
void sim_set_policy(const struct sim_policy *policy);
/* The simulation ends as the engine's own fault: an operation raised an exception. */
void sim_policy_failed(const char *text);
/* scx_bpf_error(): the scheduler ends itself. */
void sim_policy_error(const char *text);

int sim_create_dsq(unsigned long long dsq_id);
_Bool sim_dsq_insert(int p, unsigned long long dsq_id, unsigned long long slice, unsigned long long enq_flags);
_Bool sim_dsq_insert_vtime(int p, unsigned long long dsq_id, unsigned long long slice, unsigned long long vtime,
			   unsigned long long enq_flags);
_Bool sim_dsq_move_to_local(unsigned long long dsq_id);
int sim_dsq_nr_queued(unsigned long long dsq_id);
void sim_kick_cpu(int cpu, unsigned long long flags);
/* The CPU, or one less than its negative (~cpu) when it is not idle. */
int sim_select_cpu_dfl(int p, int prev_cpu, unsigned long long wake_flags);
_Bool sim_test_and_clear_cpu_idle(int cpu);
/* scx_bpf_pick_idle_cpu(): of the CPUs that the task may use, and of those in one LLC, or any (-1). */
int sim_pick_idle_cpu(int p, int llc, unsigned long long flags);
/* Whether the CPU is in scx_bpf_get_idle_cpumask(), and all of its core (..._smtmask()). */
_Bool sim_cpu_is_idle(int cpu);
_Bool sim_core_is_idle(int cpu);
_Bool sim_task_running(int p);
int sim_task_cpu(int p);
int sim_cpu_curr(int cpu);
/* bpf_get_smp_processor_id(), bpf_get_current_task() */
int sim_cpu(void);
int sim_current_task(void);
unsigned long long sim_tick_ns(void);
int sim_llc_of(int cpu);
int sim_core_of(int cpu);

/*
 * For policies of other classes than sched_ext, which have no dispatch queues: resched_curr(), whose task's
 * slice ends at once, and the move of a waiting task that is in no queue to another runqueue.
 */
void sim_resched_curr(int cpu);
void sim_move_queued(int p, int cpu);

/* Fields of a task. */
int sim_p_pid(int p);
_Bool sim_p_allowed(int p, int cpu);
int sim_p_nr_cpus_allowed(int p);
_Bool sim_p_exiting(int p);
/* p->scx.weight (100 at nice 0) and the load weight of sched_prio_to_weight[] (1024 at nice 0). */
unsigned int sim_p_weight(int p);
unsigned int sim_p_load_weight(int p);
int sim_p_nice(int p);
unsigned long long sim_p_slice(int p);
void sim_p_set_slice(int p, unsigned long long slice);
unsigned long long sim_p_dsq_vtime(int p);
void sim_p_set_dsq_vtime(int p, unsigned long long vtime);
/* CPU time so far in ns, of the running task up to now. */
unsigned long long sim_p_runtime(int p);
