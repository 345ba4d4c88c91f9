/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The embedded home: the device of kmod/engine in this process, with pthreads
 * around it.
 *
 * Locks, outermost first:
 *	objects		a device's contexts, their memory, windows, tables and
 *			lists; the accounting of HBM; moves of it
 *	sleds_lock	a device's sleds, and its map of slots
 *	events_lock	subscribers of a device's events, and their rings
 *	queue.lock	one queue's engine state
 *	plans_lock	a context's plan table, plan references
 *	sched_lock	which queue is ready; who is at which queue; sleeping
 *			workers
 * objects is never taken by a thread that runs a queue.
 */
#ifndef VN_EMBED_H
#define VN_EMBED_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../kmod/engine/drain.h"
#include "../../kmod/engine/fault.h"
#include "../../kmod/engine/sched.h"
#include "../include/vneuron.h"

#define VN_RUNNERS_MAX 64

struct embed_runner {
	struct vn_runner r;
	u32 held; /* atomic */
};

/* Who makes a sled go from one state to another. */
struct embed_who {
	u64 operation;
	u32 uid;
	u8 reason[VN_REASON];
};

/* What a step of a drain has told last. */
struct embed_progress {
	u64 total_bytes, copied_bytes, dirty_bytes, estimate_ns, pause_ns;
};

/* A sled, as sleds_lock guards it. */
struct embed_sled {
	struct vn_sled s;
	u32 uid;
	u8 reason[VN_REASON];
	struct embed_progress progress;
	bool off; /* somebody has called off what drains it */
};

/* Lives while contexts, domains or sessions do: refs, under objects. */
struct embed_device {
	pthread_mutex_t objects;
	u32 refs;
	u32 next_context;
	struct embed_context *contexts;
	u32 moving; /* atomic: sessions that watch who writes */
	u64 copied_ns; /* atomic: when one of them has copied anything last */
	u64 fence_waits; /* atomic: of all contexts */
	pthread_cond_t unfenced; /* with objects: a fence is down, a piece is copied */
	pthread_mutex_t sleds_lock;
	struct embed_sled sled[VN_MAX_SLEDS + VN_MAX_SPARES];
	/* A session is at work on it, whatever has become of the sled meanwhile. */
	bool busy[VN_MAX_SLEDS + VN_MAX_SPARES];
	struct vn_faults faults;
	struct vn_pace pace; /* as the last drain has measured it; under objects */
	struct vn_health health;
	u64 hbm; /* bytes per chip */
	u64 hbm_used[VN_MAX_CHIPS]; /* changed under objects; read atomically */
	u32 queues[VN_MAX_CHIPS];
	u32 windows[VN_MAX_CHIPS];
	struct embed_outside *outside; /* under objects */
	int nodes; /* NUMA nodes, at least 1 */
	bool avx2;
	struct vn_switch sw; /* what is out of order there: sleds_lock */

	u32 nrunners;
	struct embed_runner *runners;
	u32 runner_waiters; /* atomic */
	u32 waiting; /* atomic: threads inside WAIT */

	pthread_mutex_t sched_lock;
	pthread_cond_t sched_cond; /* workers without work */
	pthread_cond_t left_cond; /* waiters for a queue to be left */
	struct vn_sched sched;
	struct vn_inbox *posts; /* inboxes posted to; taken off under sched_lock */
	u32 nthreads, sleeping;
	bool stop;
	pthread_t thread[VN_RUNNERS_MAX];
	u32 started; /* threads that exist */
	cpu_set_t cpus; /* for them: those of who opened the device */

	struct embed_status *statuses; /* of all contexts, under objects */

	pthread_mutex_t events_lock;
	struct embed_events *subscribers;
	struct embed_control *control; /* NULL: others don't see it */

	u32 events; /* atomic, a futex: completions, semaphores, runners */
	u32 sleepers; /* atomic: threads asleep on events */
};

/* Shared by the contexts that joined it: refs, under objects. */
struct embed_domain {
	struct embed_device *dev;
	u32 refs;
	u64 inode, device; /* of its exported fd */
	int fd; /* kept so that the inode stays ours */
	struct embed_domain *next; /* all exported ones of the process */
	struct vn_domain_table table;
};

/* A copy of an allocation, at its new place; of its mem, under objects. */
struct embed_move {
	u8 *copy; /* NULL: it has taken its place */
	u64 *dirty, *taken; /* a bit a page; taken: being copied */
	u64 words;
	bool copying; /* without the lock: who frees it waits (unfenced) */
};

/* How much may be copied, and what it came to. */
struct embed_copied {
	struct vn_faults *faults; /* that it may run into */
	u64 room, deadline;
	u64 bytes, ns;
};

struct embed_mem {
	struct embed_mem *next;
	struct vn_hbm hbm;
	struct embed_move *move; /* to another slot, or NULL */
	bool leaving; /* it is being freed */
	bool exporting; /* writers are kept out: who frees it waits (unfenced) */
	u32 name; /* in the context's own table */
	u32 windows; /* over it */
	struct embed_export *exports;
};

/* HBM that others have as a memfd; of its mem, under objects. */
struct embed_export {
	struct embed_export *next;
	u64 offset, bytes;
	u32 flags;
	int fd; /* a file of our own: nobody else opens it */
};

/* Exports that keep HBM where it is, and whose context has made one of them. */
struct embed_holder {
	u32 exports, context, pid;
};

/* Memory of windows that is no HBM. Held by them; under objects. */
struct embed_outside {
	struct embed_outside *next, **at; /* of the device */
	struct embed_context *ctx; /* counts its bytes */
	struct vn_hbm hbm; /* base: where it is anyway, or is mapped */
	u32 refs;
	u64 bytes;
	bool mapped; /* else locked */
	int fd; /* of a dma-buf that is told of accesses, or -1 */
};

/* A window of a context; the engine knows it as the owner of its slot. */
struct embed_window {
	struct embed_window *next, **at; /* of the context */
	struct embed_context *ctx;
	struct embed_mem *mem; /* HBM, or NULL ... */
	struct embed_outside *outside; /* ... and other memory */
	struct embed_window *parts; /* of it, whoever made them: they end with it */
	struct embed_window *part_next, **part_at; /* of the same; NULL: it is part of none */
	u64 offset, bytes; /* in the memory */
	struct embed_inbox *inbox; /* of the queue it is bound to, or NULL */
	u64 user_data;
	u32 chip, key, access;
};

/* What WINDOW_IMPORT gave out; in this home only a name for memory in reach anyway. */
struct embed_import {
	struct embed_import *next;
	u64 offset;
};

/* A status page of a context. */
struct embed_status {
	struct embed_status *next; /* of the device */
	struct embed_context *ctx;
	struct vn_rank_status *entry; /* [VN_STATUS_ENTRIES] */
};

/*
 * What a queue is told by others, made for the first window that is bound to it. refs: the
 * queue's one, and each window's; under objects. The slots are the queue's.
 */
struct embed_inbox {
	struct vn_inbox inbox; /* first */
	u32 refs;
	struct embed_queue *queue; /* good while it is on the device's list of those posted to */
	struct vn_arrival *slots;
};

struct embed_queue {
	struct vn_queue q; /* engine state, under lock */
	pthread_mutex_t lock;
	struct embed_context *ctx;
	struct embed_domain *domain; /* held: turns use its tables */
	void *map;
	u64 map_bytes;
	u32 id;
	u32 clears; /* under lock */
	u32 users; /* threads at it, under sched_lock */
	bool dying; /* under sched_lock */
	int eventfd; /* -1: none */
	struct embed_inbox *inbox; /* NULL, until a window is bound to it; under objects */
};

/* refs: the table's one, and one per queue that runs it; under plans_lock. */
struct embed_plan {
	struct vn_plan p;
	u32 refs;
	u64 launches; /* begun */
};

#define EMBED_QUEUES_MAX 1024u
#define EMBED_PLANS_MAX 4096u

struct embed_context {
	struct embed_context *next; /* of the device */
	struct embed_device *dev;
	struct embed_domain *domain;
	u32 id;
	u64 fence_waits; /* atomic */
	u8 attached[VN_MAX_CHIPS];
	struct vn_window_table own;
	struct embed_mem *mems;
	struct embed_window *windows;
	u32 nwindows;
	u64 outside_bytes; /* of other memory than HBM under them */
	struct embed_import *imports;
	struct embed_queue *queues[EMBED_QUEUES_MAX];
	pthread_mutex_t plans_lock;
	struct embed_plan *plans[EMBED_PLANS_MAX];
};

/* device.c */
struct vn_spec;
struct vn_sled_event;
int embed_device_new(const struct vn_spec *spec, struct embed_device **dev);
void embed_device_get(struct embed_device *dev); /* these two: objects not held */
void embed_device_put(struct embed_device *dev);
int embed_device_query(struct embed_device *dev, struct vn_query *a);
int embed_chip_query(struct embed_device *dev, struct vn_chip_query *a);
int embed_device_ports(struct embed_device *dev, struct vn_port *ports, unsigned int max);
/* Node that HBM of a sled is taken from, -1: there is no choice. */
s32 embed_device_node(const struct embed_device *dev, u32 sled);
struct embed_runner *embed_runner_get(struct embed_device *dev);
void embed_runner_put(struct embed_device *dev, struct embed_runner *r);
/* All runners have been seen outside, or in a later chunk. */
void embed_runners_wait(struct embed_device *dev);
/* No runner still sees what was killed before the call, nobody waits for it. */
void embed_runners_pass(struct embed_device *dev);
/* Wakes whoever sleeps on events. */
void embed_event(struct embed_device *dev);
/* Sleeps unless an event came since `seen`; until the deadline (CLOCK_MONOTONIC, ns). */
void embed_sleep(struct embed_device *dev, u32 seen, u64 deadline);

/* memory.c: the calls on memory, windows, domains; all take objects themselves */
int embed_mem_alloc(struct embed_context *ctx, struct vn_mem_alloc *a);
int embed_mem_free(struct embed_context *ctx, struct vn_mem_free *a);
void embed_mem_release_all(struct embed_context *ctx);

/* Memory for HBM of a slot, zero; NULL: there is none. */
u8 *embed_take_pages(struct embed_device *dev, u32 slot, u64 bytes);

/* move.c: under objects, but for copying; see kmod/move.h */
int embed_move_new(struct embed_device *dev, struct embed_mem *m, u32 slot);
void embed_move_free(struct embed_mem *m);
int embed_move_copy(struct embed_mem *m, struct embed_copied *c);
int embed_move_flip(struct embed_mem *m);
/* What moving costs: *rest, all but copying; *copy, unless it is known. 0, -ENOMEM, -EIO. */
int embed_move_measure(struct embed_device *dev, struct vn_pace *copy, struct vn_pace *rest);

/* sled.c */
int embed_sled_query(struct embed_device *dev, struct vn_sled_query *a);
int embed_sled_cancel(struct embed_device *dev, u32 sled, u64 operation);
/* As an event would tell it that went nowhere; waits for no drain. */
void embed_sled_see(struct embed_device *dev, u32 sled, struct vn_sled_event *seen);

/* events.c */
struct embed_events;
int embed_events_open(struct embed_device *dev, struct embed_events **to);
void embed_events_close(struct embed_events *ev);
int embed_events_fd(const struct embed_events *ev);
/* As &vn_event_ops.next. */
int embed_events_next(struct embed_events *ev, struct vn_sled_event *e);
/* What has happened, in that order; with any lock. */
void embed_events_note(struct embed_device *dev, const struct vn_sled_event *e);
/* Who waits for events sees those that were noted; with no lock that writers wait for. */
void embed_events_say(struct embed_device *dev);

/* reset.c: as vn_chip_reset() */
int embed_chip_reset(struct embed_device *dev, u32 chip);

/* fault.c: as fault_make() and the next of struct vn_home */
int embed_fault_make(struct embed_device *dev, const struct vn_fault *f, u32 uid);
int embed_fault_clear(struct embed_device *dev, const struct vn_fault *f);
int embed_fault_list(struct embed_device *dev, struct vn_fault *to, unsigned int max);
/* Room for a drain, zero: n of that size; NULL also if that is the fault. */
void *embed_drain_room(struct embed_device *dev, size_t n, size_t size);

/* drain.c */
struct embed_session;
int embed_drain_open(struct embed_device *dev, struct vn_drain_open *a, u32 uid,
		     struct embed_session **to);
int embed_drain_step(struct embed_session *s, struct vn_drain_step *a);
void embed_drain_close(struct embed_session *s);
/* Nobody who writes on that sled need rest. */
void embed_drain_hurry(struct embed_device *dev, u32 sled);
/* How long a rest of so long is now: none, when nothing has been copied for a while. */
u32 embed_slow_now(struct embed_device *dev, u32 us);

/* cpu.c: of all devices, atomic: changes before any memory begins to move */
extern u32 embed_move_gen;
/* Writes of a context met a fence. */
void embed_fence_waited(struct embed_context *ctx, u32 times);
void embed_mem_begin(void *ctx, char *const *to, uint32_t n, uint64_t bytes);
void embed_mem_end(void *ctx);

/* gate.c */
void embed_gate_enter(void);
void embed_gate_leave(void);
bool embed_gate_inside(void);
/* Waits until all have been seen outside; the thread that was not by then, or 0. */
pid_t embed_gates_pass(u64 deadline);

/* window.c */
int embed_window_create(struct embed_context *ctx, struct vn_window_create *a);
int embed_window_invalidate(struct embed_context *ctx, struct vn_window_invalidate *a);
int embed_window_bind(struct embed_context *ctx, struct vn_window_bind *a);
void embed_window_release_all(struct embed_context *ctx);
/* Those on a chip end; objects held. */
void embed_window_end_chip(struct embed_context *ctx, u32 chip);

/* import.c */
int embed_window_import(struct embed_context *ctx, struct vn_window_import *a);
int embed_window_release(struct embed_context *ctx, struct vn_window_release *a);
void embed_import_release_all(struct embed_context *ctx);

/* outside.c: under objects */
/* What a call wants a window over; *offset: where the window begins in it. As WINDOW_CREATE. */
int embed_outside_new(struct embed_context *ctx, const struct vn_window_create *a,
		      struct embed_outside **to, u64 *offset);
void embed_outside_put(struct embed_outside *o);

/* user_memory.c: locks, or lets go of, whole pages; each as often as it was locked */
int embed_user_lock(u8 *base, u64 bytes);
void embed_user_unlock(u8 *base, u64 bytes);

/* export.c */
int embed_mem_export(struct embed_context *ctx, struct vn_mem_export *a);
void embed_exports_free(struct embed_mem *m); /* objects held, as for the next */
/* Exports on these chips that somebody still has; moving: of what has a copy alone. */
void embed_exports_holder(struct embed_device *dev, const struct vn_moves *moves, bool moving,
			  struct embed_holder *h);

/* domain.c */
int embed_domain_new(struct embed_device *dev, struct embed_domain **dom);
void embed_domain_put(struct embed_domain *dom); /* objects held */
int embed_domain_export(struct embed_context *ctx, struct vn_domain_export *a);
int embed_domain_join(struct embed_context *ctx, struct vn_domain_join *a);
/* The table of a chip, with room for one more; objects held. */
int embed_domain_table(struct embed_domain *dom, u32 chip, struct vn_window_table **to);
/* What a key names, or NULL and -ENOENT or -ESTALE; objects held. */
struct embed_window *embed_domain_find(struct embed_domain *dom, u32 chip, u32 key, int *err);
/* A slot for one more window in a table; objects held. */
int embed_table_room(struct vn_window_table *t);
void embed_table_free(struct vn_window_table *t);

/* control.c */
int embed_control_start(struct embed_device *dev);
/* NULL: there is none. */
void embed_control_stop(struct embed_control *c);

/* status.c */
int embed_status_create(struct embed_context *ctx, struct vn_status_create *a);
int embed_status_destroy(struct embed_context *ctx, struct vn_status_destroy *a);
void embed_status_release_all(struct embed_context *ctx);
int embed_status_ranks(struct embed_device *dev, struct vn_rank *ranks, unsigned int max);

/* queue.c */
int embed_queue_create(struct embed_context *ctx, struct vn_queue_create *a);
int embed_queue_destroy(struct embed_context *ctx, struct vn_queue_id *a);
int embed_queue_reset(struct embed_context *ctx, struct vn_queue_id *a);
int embed_queue_doorbell(struct embed_context *ctx, struct vn_queue_id *a);
void embed_queue_release_all(struct embed_context *ctx);
/* The queue of that number with one more user, or NULL; embed_queue_put() later. */
struct embed_queue *embed_queue_get(struct embed_context *ctx, u32 id);
void embed_queue_put(struct embed_queue *q);

/* inbox.c */
/* The inbox of a queue, with a reference; NULL: no memory. objects held. */
struct embed_inbox *embed_inbox_get(struct embed_queue *q);
void embed_inbox_put(struct embed_inbox *ei); /* objects held */
/* The queue is being destroyed: it takes nothing more ... */
void embed_inbox_shut(struct embed_queue *q);
/* ... and, once nobody is at it: no runner posts any more, none waits to. */
void embed_inbox_end(struct embed_queue *q);
/* Inboxes were posted to: their queues look. */
void embed_arrivals(struct embed_device *dev);

/* run.c: turns at queues */
int embed_wait(struct embed_context *ctx, struct vn_wait *a);
void *embed_worker(void *dev);
/*
 * Stops a queue of that chip, or one whose launch has a program on it: then it is in ERROR,
 * or was cleared meanwhile. objects held.
 */
void embed_halt(struct embed_queue *q, u32 chip);
/* Semaphores were written, or their windows are gone: who waits looks again. */
void embed_semaphores(struct embed_device *dev);
/* A queue has work: a worker is to look at it. sched_lock not held. */
void embed_kick(struct embed_queue *q);
/* The same, or, where there is no worker, whoever waits. sched_lock held. */
void embed_list(struct embed_queue *q);

/* plan.c */
int embed_plan_create(struct embed_context *ctx, struct vn_plan_create *a);
int embed_plan_destroy(struct embed_context *ctx, struct vn_plan_destroy *a);
void embed_plan_release_all(struct embed_context *ctx);
struct embed_plan *embed_plan_get(struct embed_context *ctx, u32 id);
void embed_plan_put(struct embed_context *ctx, struct embed_plan *p);

#endif
