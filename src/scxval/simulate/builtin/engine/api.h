/* SPDX-License-Identifier: MIT */
/*
 * What Python sees of the engine; read by cffi as it stands, so: no includes, no preprocessor but the
 * guard. One library instance is one simulation: sim_configure, sim_add_*, sim_start, then sim_run until
 * it returns 0. Times are nanoseconds of virtual time from 0.
 */

/* One event; a field that the event does not have is 0, and its bit of `has` is clear. */
struct sim_record {
	int64_t time_ns;
	uint64_t dsq_id;
	uint64_t slice_ns;
	uint64_t vtime;
	uint64_t flags;
	int64_t prev_state;
	int32_t tid;
	int32_t other_tid;
	int16_t cpu;
	int16_t other_cpu;
	uint8_t kind;		/* enum sim_kind */
	uint8_t reason;		/* enum sim_reason, 0 for none */
	uint8_t success;
	uint8_t has;		/* enum sim_has */
};

enum sim_has {
	SIM_HAS_OTHER_TID = 1,
	SIM_HAS_OTHER_CPU = 2,
	SIM_HAS_DSQ = 4,
	SIM_HAS_SLICE = 8,
	SIM_HAS_VTIME = 16,
	SIM_HAS_FLAGS = 32,
	SIM_HAS_STATE = 64,
	SIM_HAS_SUCCESS = 128,
};

/* In the order of scxval.events.schema.TraceKind. */
enum sim_kind {
	SIM_TASK_SCHEDULED,
	SIM_TASK_PREEMPTED,
	SIM_TASK_YIELDED,
	SIM_TASK_SLEPT,
	SIM_TASK_WOKE,
	SIM_TASK_COMPLETED,
	SIM_CPU_IDLE,
	SIM_SIMULATION_END,
	SIM_PUT_PREV_TASK,
	SIM_SELECT_TASK_RQ,
	SIM_ENQUEUE_TASK,
	SIM_BALANCE,
	SIM_PICK_TASK,
	SIM_SET_NEXT_TASK,
	SIM_DSQ_INSERT,
	SIM_DSQ_INSERT_VTIME,
	SIM_DSQ_MOVE_TO_LOCAL,
	SIM_KICK_CPU,
	SIM_TICK,
	SIM_DEQUEUE_TASK,
	SIM_TASK_MIGRATED,
	SIM_NR_KINDS,
};

/* In the order of scxval.events.schema.Reason. */
enum sim_reason {
	SIM_NO_REASON,
	SIM_PREEMPT,
	SIM_YIELD,
	SIM_SLEEP,
	SIM_EXIT,
	SIM_UNKNOWN,
	SIM_WAKING,
	SIM_WAKEUP,
	SIM_WAKEUP_NEW,
};

/*
 * A task's program: what rt-app's thread does, one instruction after another. `object` is the index of a
 * timer, lock, condition, barrier or wait object in one space of SIM_MAX_OBJECTS.
 */
enum sim_op {
	SIM_OP_RUN,		/* value: CPU time in ns, before scale and noise */
	SIM_OP_RUN_WALL,	/* value: ns of wall time spent running (rt-app's `runtime`) */
	SIM_OP_SLEEP,		/* value: ns */
	SIM_OP_TIMER,		/* object; value: period in ns, from the thread's start or the last time on, may
				 * be negative; arg: 1 absolute, 0 relative (rt-app's timer) */
	SIM_OP_SUSPEND,		/* object: wait until resumed */
	SIM_OP_RESUME,		/* object: wake all that wait in SUSPEND on it */
	SIM_OP_YIELD,
	SIM_OP_LOCK,		/* object */
	SIM_OP_UNLOCK,		/* object */
	SIM_OP_WAIT,		/* object: condition; arg: lock, given up while waiting and taken again */
	SIM_OP_SIGNAL,		/* object: condition, wakes one */
	SIM_OP_BROAD,		/* object: condition, wakes all */
	SIM_OP_BARRIER,		/* object; arg: number of tasks that meet there */
	SIM_OP_AFFINITY,	/* arg: index of a mask given to sim_add_mask */
	SIM_OP_LOOP,		/* value: passes, -1 for ever; arg: index of the instruction after the loop */
	SIM_OP_AGAIN,		/* arg: index of the loop's own instruction */
	SIM_OP_EXIT,
};

struct sim_insn {
	uint32_t op;
	uint32_t object;
	int64_t value;
	uint32_t arg;
	uint32_t unused;
};

struct sim_params {
	uint64_t seed;
	uint64_t end_ns;
	uint64_t tick_ns;
	uint64_t wake_ns;
	uint64_t switch_ns;
	uint64_t ipi_ns;
	uint64_t sleep_late_ns;
	uint64_t run_scale_ppm;
	uint32_t wake_cv_ppm;
	uint32_t switch_cv_ppm;
	uint32_t sleep_late_cv_ppm;
	uint32_t run_cv_ppm;
	uint32_t nr_cpus;
	uint32_t watchdog_ms;	/* 0: the scheduler's own timeout_ms, or 30 s (SCX_WATCHDOG_MAX_TIMEOUT) */
};

enum {
	SIM_MAX_CPUS = 256,
	SIM_MAX_TASKS = 4096,
	SIM_MAX_OBJECTS = 4096,
	SIM_MAX_CGROUPS = 256,
	SIM_TEXT_BYTES = 1024,
};

enum sim_end {
	SIM_RUNNING,
	SIM_DONE,		/* end_ns was reached, or every task had ended */
	SIM_EJECTED,		/* the scheduler ended: scx_bpf_error, an error of its own, or a stall */
	SIM_REFUSED,		/* ops.init, init_task or cgroup_init returned an error: never attached */
	SIM_BROKEN,		/* the engine's own fault: text says what */
};

/* 0, or -1 and sim_text() says why. `pool` is zeroed memory that outlives the simulation. */
int sim_configure(const struct sim_params *params, void *pool, uint64_t pool_bytes);
/* CPU `cpu`'s last-level cache and core, as small numbers; by default 0 and `cpu`. */
int sim_set_topology(uint32_t cpu, uint32_t llc, uint32_t core);
/* A set of CPUs, one bit a CPU from the lowest; the index of the set, or -1. Set 0 is all CPUs. */
int sim_add_mask(const uint64_t *words, uint32_t nr_words);
/* A child of cgroup `parent` (0 is the root) with cpu.weight `weight`; its index, or -1. */
int sim_add_cgroup(uint32_t parent, uint32_t weight);
/* A task that starts at start_ns; its index, or -1. tid > 0, name of up to 15 bytes. The program is copied. */
int sim_add_task(const char *name, int32_t tid, int32_t pid, int32_t nice, uint32_t mask, uint32_t cgroup,
		 uint64_t start_ns, const struct sim_insn *program, uint32_t nr_insns);
/* Attach the scheduler: ops.init, cgroup_init, init_task and enable of all tasks. 0 or -1. */
int sim_start(void);
/* Run until `nr` records are written or the end; the number written, 0 after the end, -1 when broken. */
int64_t sim_run(struct sim_record *records, uint64_t nr);

/* How it ended (enum sim_end), and the texts of why and of the log so far. */
int sim_ended(void);
const char *sim_text(void);
uint64_t sim_log_bytes(void);
const char *sim_log_text(void);
uint64_t sim_time(void);
/* Inserts into a DSQ that came to nothing, by what for: enum sim_drop. */
uint64_t sim_dropped(uint32_t why);
/* CPU time of a task so far, in ns. */
uint64_t sim_task_runtime(uint32_t index);
/* The kernel's own counters of surprises (/sys/kernel/sched_ext/root/events), by enum sim_event. */
uint64_t sim_event_count(uint32_t event);

enum sim_drop {
	SIM_DROP_DEQUEUED,	/* the task slept, ended or changed its mask before it ran */
	SIM_DROP_REPLACED,	/* inserted again before the first insert took effect */
	SIM_DROP_BYPASS,	/* the scheduler was ejected */
	SIM_NR_DROPS,
};

enum sim_event {
	SIM_EV_SELECT_CPU_FALLBACK,
	SIM_EV_DISPATCH_LOCAL_DSQ_OFFLINE,
	SIM_EV_DISPATCH_KEEP_LAST,
	SIM_EV_ENQ_SKIP_EXITING,
	SIM_EV_ENQ_SKIP_MIGRATION_DISABLED,
	SIM_EV_REFILL_SLICE_DFL,
	SIM_EV_BYPASS_DURATION,
	SIM_EV_BYPASS_DISPATCH,
	SIM_EV_BYPASS_ACTIVATE,
	SIM_EV_INSERT_NOT_OWNED,
	SIM_NR_EVENTS,
};
