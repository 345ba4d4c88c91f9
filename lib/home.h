/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the library needs of a home: the calls of the ABI, mapping, and the
 * little around them. Everything above this table is the same for both homes.
 */
#ifndef VN_LIB_HOME_H
#define VN_LIB_HOME_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "include/vneuron.h"

/* What a device spec says; 0 or NULL stands for the default. */
struct vn_spec {
	char node[256]; /* path of the UltraServer node; "" for embedded */
	uint32_t pid; /* of the process whose embedded device it is; 0: none of these */
	uint32_t number; /* of its devices */
	uint32_t sleds;
	uint32_t chips; /* per sled */
	uint32_t spares; /* sleds more */
	uint64_t hbm; /* bytes per chip */
	int32_t threads; /* -1: default */
	bool scalar; /* no AVX2 */
	bool control; /* others may see it (control.h) */
};

struct vn_nl;
struct vn_ops;
struct vn_sled_event;

/* Events of sleds, wherever they come from. */
struct vn_event_ops {
	int (*fd)(void *from);
	/* Never waits. -EAGAIN: there is none. -ENOBUFS: some are lost. */
	int (*next)(void *from, struct vn_sled_event *e);
	void (*close)(void *from);
};

struct vn_home {
	const char *name;
	int (*open)(const struct vn_spec *spec, void **ctx);
	int (*reopen)(void *ctx, void **peer);
	void (*close)(void *ctx);
	/* One call of the ABI. arg is the full struct, size set. */
	int (*call)(void *ctx, uint32_t cmd, void *arg);
	int (*attach)(void *ctx, uint32_t chip);
	/* What an mmap_offset stands for. */
	int (*map)(void *ctx, uint64_t offset, uint64_t bytes, bool write, void **ptr);
	void (*unmap)(void *ctx, void *ptr, uint64_t bytes);
	int (*ports)(void *ctx, struct vn_port *ports, unsigned int max);
	int (*ranks)(void *ctx, struct vn_rank *ranks, unsigned int max);
	int (*fd)(void *ctx);
	/* A session that drains a sled; *session is NULL after a dry run. */
	int (*drain_open)(void *ctx, struct vn_drain_open *a, void **session);
	int (*drain_step)(void *session, struct vn_drain_step *a);
	void (*drain_close)(void *session);
	/* As DRAIN_CANCEL of netlink, with its errors. */
	int (*drain_cancel)(void *ctx, uint32_t sled, uint64_t operation);
	/* NULL: it takes none. fault_list: how many there are, at most max go to `to`. */
	int (*fault_make)(void *ctx, const struct vn_fault *f);
	int (*fault_clear)(void *ctx, const struct vn_fault *f);
	int (*fault_list)(void *ctx, struct vn_fault *to, unsigned int max);
	int (*chip_reset)(void *ctx, uint32_t chip);
	/* What is lost, for as long as the context is open; NULL: nobody knows. */
	const struct vn_health *(*health)(void *ctx);
	int (*events)(void *ctx, const struct vn_event_ops **ops, void **from);
	/* To ask about objects of all; NULL: there are only our own. */
	int (*netlink)(void *ctx, struct vn_nl **nl);
	/*
	 * The CPU is about to write so many bytes at each of n places, and has; NULL: nobody
	 * need know.
	 */
	void (*begin)(void *ctx, char *const *to, uint32_t n, uint64_t bytes);
	void (*end)(void *ctx);
};

extern const struct vn_home vn_home_kernel;
extern const struct vn_home vn_home_embedded;
extern const struct vn_home vn_home_remote;

/* What is first in every handle that vn_close() frees: a queue's or a plan's. */
struct vn_handle {
	struct vn_handle *next;
	bool plan;
};

/* An allocation, and the key by which other processes reach all of it. */
struct vn_alloc {
	struct vn_mem mem;
	uint32_t key; /* 0: nobody asked for it */
	uint32_t life; /* of its chip: vn_chip_life() when it was asked for */
	uint32_t resets; /* of its chip, when the key was */
};

struct vn_lib_device {
	const struct vn_home *home;
	void *ctx;
	char spec[320];
	struct vn_query query;
	const struct vn_health *health; /* or NULL */
	uint64_t calls; /* atomic */
	uint8_t attached[VN_MAX_CHIPS]; /* atomic */
	/* Handles that are out, for vn_close(). */
	pthread_mutex_t handles_lock;
	struct vn_handle *handles;
	/* What is allocated, for finding the HBM behind a pointer. */
	pthread_mutex_t mems_lock;
	struct vn_alloc *mems;
	uint32_t nmems, mems_room;
	uint64_t mems_gen; /* atomic: counts frees */
	/* Status pages (coll/status.c), under its lock. */
	struct vn_rank_status *status[VN_STATUS_PAGES_MAX];
	uint32_t nstatus;
};

void vn_handle_add(struct vn_lib_device *dev, struct vn_handle *h);
void vn_handle_remove(struct vn_lib_device *dev, struct vn_handle *h);

/* Counts the call and makes it; sets arg's size. */
int vn_call(struct vn_lib_device *dev, uint32_t cmd, void *arg, uint32_t size);

/* The key of an allocation, for other processes in the domain; made when first asked for. */
int vn_mem_key(struct vn_lib_device *dev, const struct vn_mem *mem, uint32_t *key);
/*
 * The allocation in which [p, p + bytes) lies as mapped here, and (unless NULL) its chip's
 * life; false: none.
 */
bool vn_mem_find(struct vn_lib_device *dev, const void *p, uint64_t bytes, struct vn_mem *mem,
		 uint32_t *life);
/* How often a chip has been lost and found: what was allocated in another life is gone. */
uint32_t vn_chip_life(const struct vn_lib_device *dev, uint32_t chip);
/* Is p in HBM that is lost? What was read there until now may be no data. */
bool vn_mem_lost(struct vn_lib_device *dev, const void *p);

/* A lock held for less than a wake-up takes: who comes second looks again before it sleeps. */
void vn_lock_init(pthread_mutex_t *lock);

/*
 * Addresses for HBM, reserved: to be mapped over, or unmapped. A reduction walks through
 * many buffers in step: side by side they would all want the same few places of a TLB.
 * NULL: wherever, it is small, or there are none.
 */
void *vn_place(uint64_t bytes);

/* ---- host.c: the processor this runs on --------------------------------------------- */

/* CPUs this process may use, at least 1. */
uint32_t vn_cores(void);
/* Work that touches more bytes does not stay in the caches: stores that go around them win. */
uint64_t vn_stream_bytes(void);
/* The operations that suit it, with AVX2 or without; all have the same results. */
const struct vn_ops *vn_host_ops(bool avx2);

/* ---- time ---------------------------------------------------------------------------- */

uint64_t vn_now(void); /* CLOCK_MONOTONIC */
/* Absolute deadline of a timeout from now, saturating. */
uint64_t vn_deadline(uint64_t timeout_ns);
/* What is left until then; VN_FOREVER: of a timeout that has no end. */
uint64_t vn_left(uint64_t deadline);

#endif
