/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine: CPUs with runqueues, tasks with programs, and the dispatch queues between them.
 *
 * One instance of the library is one machine, so its state is global. An event handler runs at one
 * instant: what the kernel spends time on (waking, switching, an IPI) lies between events. So times
 * never go backwards, and no CPU sees what another has yet to do.
 *
 * "ext.c", "idle.c" and "core.c" in comments are those of kernel/sched in 7.2, which this follows.
 */
#ifndef SCXVAL_ENGINE_H
#define SCXVAL_ENGINE_H

#include "host.h"

/* What Python calls; all else stays inside of the library. */
#pragma GCC visibility push(default)
#include "api.h"
#pragma GCC visibility pop

/* include/linux/sched.h of 7.2; the tree's own headers define the same. */
#ifndef PF_IDLE
#define PF_IDLE 0x00000002
#endif
#ifndef PF_EXITING
#define PF_EXITING 0x00000004
#endif
#ifndef PF_KTHREAD
#define PF_KTHREAD 0x00200000
#endif

#define NEVER (~0ULL)
#define MSEC 1000000ULL
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#ifndef EINVAL
#define EINVAL 22
#endif
#ifndef ENOENT
#define ENOENT 2
#endif
#ifndef EEXIST
#define EEXIST 17
#endif
#ifndef ENOMEM
#define ENOMEM 12
#endif
#ifndef EBUSY
#define EBUSY 16
#endif

/* kernel/sched/sched.h of 7.2: the core's flags that sched_ext passes on but has no name for. */
#define ENQUEUE_NOCLOCK 0x00000008
#define ENQUEUE_MIGRATED 0x00040000
#define ENQUEUE_INITIAL 0x00080000
#define DEQUEUE_SPECIAL 0x00010000

/* A place in a dispatch queue's list; an iterator's cursor is one without a task. */
struct dsq_node {
	struct dsq_node *next, *prev;
	u32 flags;
	u32 seq;
};
#define NODE_CURSOR (1U << 31)

struct dsq {
	u64 id;
	struct dsq_node list;
	u32 nr;
	u32 seq;
	bool priq;
	struct dsq *hash_next;
};

enum task_state { TASK_NEW, TASK_IS_RUNNING, TASK_IS_SLEEPING, TASK_IS_DEAD };

/* Who has a runnable task: nobody yet or a queue, or the scheduler (SCX_OPSS_QUEUED). */
enum ops_state { OPSS_NONE, OPSS_QUEUED };

struct sim_task {
	struct task_struct ts;
	u32 index;
	u32 cpu;
	u8 state;
	bool on_rq;		/* SCX_TASK_QUEUED */
	bool attached;		/* init_task and enable were called */
	bool yielded;
	bool exiting;
	s32 moving_to;		/* sched_setaffinity() moves it there; -1 */
	struct cpumask mask;

	/* struct sched_ext_entity, as far as no scheduler reads it */
	struct dsq *dsq;
	struct dsq_node node;
	u8 ops_state;
	u32 qseq;
	bool in_custody;
	bool migrating;		/* sticky_cpu >= 0 there: on its way to another runqueue */
	u64 ddsp_dsq_id;
	u64 ddsp_enq_flags;
	bool deferred;
	struct sim_task *next_deferred;
	s32 selected_cpu;
	u64 runnable_at;
	bool waiting;		/* on runnable_list there */

	u64 exec_start;
	u64 ran_ns;

	struct sim_insn *program;
	s64 *passes;
	u32 nr_insns;
	u32 pc;
	u8 phase;
	u32 still;		/* instructions at still_at, without time going on */
	u64 still_at;
	u64 start_ns;
	u64 work_from;
	u64 work_left;
	u64 wall_until;		/* of SIM_OP_RUN_WALL; 0 outside of one */
	u64 rng;
	u64 wake_gen;
	struct sim_task *next_waiter;
};

struct sim_rq {
	u32 cpu;
	u32 llc, core;
	struct sim_task *curr;
	struct sim_task idle;
	struct dsq local;
	struct dsq bypass;
	u64 resched_at;
	u64 resched_gen;
	u64 step_gen;
	u64 tick_at;
	u64 tick_gen;
	u64 busy_until;		/* the end of a switch: nothing interrupts one */
	bool in_balance;
	struct sim_task *deferred, **deferred_tail;
	struct cpumask kick, kick_idle, kick_preempt;
	bool kicks;
	u32 rotor;		/* cpumask_any_and_distribute() goes round from here */
	/* the dispatch buffer */
	struct {
		struct sim_task *task;
		u32 qseq;
		u64 dsq_id;
		u64 enq_flags;
	} buf[256];
	u32 cursor;
	u32 nr_dispatched;
};

struct sim_object {
	struct sim_task *owner;
	struct sim_task *waiters, **waiters_tail;
	u32 count;
	bool armed;
	u64 next_ns;
};

enum event_type { EV_RESCHED, EV_TICK, EV_STEP, EV_WAKE, EV_START, EV_TIMER, EV_WATCHDOG };

struct event {
	u64 time;
	u64 seq;
	u32 type;
	u32 index;
	u64 gen;
	struct sim_timer *timer;
};

struct sim {
	struct sim_params params;
	u64 now;
	u32 this_cpu;
	int ended;
	bool bypassing;
	bool builtin_idle;
	u64 slice_dfl;
	struct sim_task *ddsp_task;	/* direct_dispatch_task */
	bool ddsp_spoilt;
	u64 wake_delay;			/* of the wakeup that is being made; NEVER outside of one */
	/* Of either form, with set_cmask apart: it is set_cpumask's twin of the cid form. */
	struct sched_ext_ops ops;
	void (*set_cmask)(struct task_struct *p, const struct scx_cmask *cmask);
	struct sim_rq *rqs;
	struct cpumask all, idle_cpus, idle_cores;
	bool smt;
	u32 nr_tasks;
	u32 nr_live;
	struct sim_task *tasks[SIM_MAX_TASKS];
	u32 nr_masks;
	struct cpumask *masks[SIM_MAX_TASKS];
	u32 nr_cgroups;
	struct cgroup *cgroups[SIM_MAX_CGROUPS];
	u32 cgroup_weight[SIM_MAX_CGROUPS];
	struct sim_object objects[SIM_MAX_OBJECTS];
	struct dsq global_dsq;
	struct dsq *dsqs[256];
	u64 noise_rng, bpf_rng;
	u64 drops[SIM_NR_DROPS];
	u64 events[SIM_NR_EVENTS];
	u64 bypass_since;
};

extern struct sim S;

/* state.c; see also sim_alloc() */
void pool_give(void *memory, u64 bytes);

static inline struct sim_task *sim_of(const struct task_struct *p)
{
	return (struct sim_task *)p;
}

static inline struct sim_rq *rq_of(u32 cpu)
{
	return &S.rqs[cpu];
}

static inline bool is_idle(const struct sim_rq *rq)
{
	return rq->curr == &rq->idle;
}

/* As time_before64(): wraps. */
static inline bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* main.c: sched_prio_to_weight[] */
u32 nice_to_weight(s32 nice);

/* masks.c */
static inline bool mask_test(const struct cpumask *m, u32 cpu)
{
	return cpu < SIM_MAX_CPUS && (m->bits[cpu / 64] >> (cpu % 64) & 1);
}
static inline void mask_set(struct cpumask *m, u32 cpu)
{
	m->bits[cpu / 64] |= 1ULL << (cpu % 64);
}
static inline void mask_clear(struct cpumask *m, u32 cpu)
{
	m->bits[cpu / 64] &= ~(1ULL << (cpu % 64));
}
u32 mask_weight(const struct cpumask *m);
/* The first CPU of both masks from `from` on, going round; SIM_MAX_CPUS when there is none. */
u32 mask_next_both(const struct cpumask *a, const struct cpumask *b, u32 from);
u32 mask_first(const struct cpumask *m);

/* text.c */
void text_into(char *out, u64 bytes, const char *format, __builtin_va_list args);
void sim_end_with(int how, const char *format, ...);
void log_line(const char *format, ...);
bool log_setup(void);

/* events.c */
bool events_setup(void);
void event_at(u64 time, u32 type, u32 index, u64 gen, struct sim_timer *timer);
bool event_next(struct event *out);

/* noise.c */
u64 rng_next(u64 *state);
/* `mean` with a coefficient of variation in ppm; never below an eighth of the mean. */
u64 noisy(u64 *state, u64 mean, u32 cv_ppm);

/* records.c */
struct sim_record *record(u32 kind, const struct sim_task *p);
/* With the CPU that it is about, and the task that runs on this one: the waker, the one that asks. */
struct sim_record *record_about(u32 kind, const struct sim_task *p, u32 cpu);
void record_into(struct sim_record *records, u64 nr);
u64 records_written(void);
bool records_full(void);

/* program.c */
void program_start(struct sim_task *p);
/* Do instructions of the current task of `rq` until it needs time, waits or ends. */
void program_step(struct sim_rq *rq);

/* sched.c */
void wake_up(struct sim_task *p, bool is_new);
void schedule(struct sim_rq *rq);
void resched(struct sim_rq *rq, u64 delay);
void resched_curr(struct sim_rq *rq);
void tick(struct sim_rq *rq);
void work_stop(struct sim_rq *rq);
void work_start(struct sim_rq *rq, bool switched);
void settle(void);
void task_exit_done(struct sim_task *p);
void change_affinity(struct sim_rq *rq, struct sim_task *p, const struct cpumask *mask);
bool sim_init_task(struct sim_task *p);

/* dispatch.c: tasks on their way */
bool leave_custody(struct sim_task *p);
void clear_direct_dispatch(struct sim_task *p);
void dispatch_enqueue(struct dsq *dsq, struct sim_task *p, u64 enq_flags);
bool consume_dispatch_q(struct sim_rq *rq, struct dsq *dsq, u64 enq_flags);
void dsq_move(struct sim_task *p, u64 dsq_id, u64 enq_flags);
void insert_commit(struct sim_task *p, u64 dsq_id, u64 enq_flags);
void flush_dispatch_buf(struct sim_rq *rq);
void direct_dispatch(struct sim_task *p, u64 enq_flags);
void run_deferred(struct sim_rq *rq);

/* ext.c: sched_ext's class */
void update_curr(struct sim_rq *rq);
u32 select_task_rq(struct sim_task *p, u32 prev_cpu, u64 wake_flags);
void enqueue_task(struct sim_rq *rq, struct sim_task *p, u64 enq_flags);
void dequeue_task(struct sim_rq *rq, struct sim_task *p, u64 deq_flags);
struct sim_task *pick_task(struct sim_rq *rq);
void put_prev_task(struct sim_rq *rq, struct sim_task *p, struct sim_task *next);
void set_next_task(struct sim_rq *rq, struct sim_task *p);
void yield_task(struct sim_rq *rq);
void run_kicks(struct sim_rq *rq);
void kick(u32 cpu, u64 flags);
void bypass(void);
void set_task_cpu(struct sim_task *p, u32 cpu);
void reenqueue(struct dsq *dsq);

/* dsq.c */
void dsq_init(struct dsq *dsq, u64 id);
struct dsq *dsq_find(u64 id);
int dsq_create(u64 id);
void dsq_destroy(u64 id);
void dsq_link(struct dsq *dsq, struct sim_task *p, u64 enq_flags);
void dsq_unlink(struct sim_task *p);
static inline bool is_local(const struct dsq *dsq)
{
	return dsq->id == SCX_DSQ_LOCAL;
}
void dsq_insert_after(struct dsq_node *node, struct dsq_node *prev);
struct sim_task *dsq_first(struct dsq *dsq);
struct sim_task *dsq_after(struct dsq *dsq, struct dsq_node *node, bool backwards);
static inline struct sim_task *node_task(struct dsq_node *node)
{
	return (struct sim_task *)((char *)node - __builtin_offsetof(struct sim_task, node));
}

/* idle.c */
void idle_setup(void);
void update_idle(struct sim_rq *rq, bool idle, bool notify);
bool idle_take(u32 cpu);
s32 pick_idle_cpu(const struct cpumask *allowed, u64 flags);
s32 select_cpu_dfl(struct sim_task *p, s32 prev_cpu, u64 wake_flags, const struct cpumask *allowed, u64 flags);

/* ops.c */
void ops_read(void);

#define HAS_OP(op) (S.ops.op && !S.bypassing)

#endif
