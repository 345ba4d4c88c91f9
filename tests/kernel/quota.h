/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Taking of one kind of object until there is no more to be had. */
#ifndef VN_TESTS_QUOTA_H
#define VN_TESTS_QUOTA_H

#include <stdlib.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "abi/abi.h"

#define GREED_MAX 1000000u

/* A taker: contexts of it, and what it has in the last one. */
struct taker {
	int ctx[4096];
	uint32_t nctx;
	struct mem mem;
	uint32_t key; /* of a window on it */
	struct vn_desc *descs; /* of plans */
	uint32_t ndescs, depth;
};

static inline int take_context(struct taker *t)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (t->nctx == ARRAY_SIZE(t->ctx)) {
		close(fd);
		return -EMFILE;
	}
	t->ctx[t->nctx++] = fd;
	return 0;
}

static inline int last(const struct taker *t)
{
	return t->ctx[t->nctx - 1];
}

static inline int take_domain(struct taker *t)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);
	struct vn_domain_export a = { .size = sizeof(a) };
	int err;

	if (fd < 0)
		return -errno;
	err = call(fd, VN_IOCTL_DOMAIN_EXPORT, &a);
	close(fd);
	if (!err)
		t->ctx[t->nctx++] = a.fd;
	return err;
}

static inline int take_queue(struct taker *t)
{
	struct vn_queue_create a = { .size = sizeof(a), .depth = t->depth };

	return call(last(t), VN_IOCTL_QUEUE_CREATE, &a);
}

static inline int take_window(struct taker *t)
{
	struct vn_window_create a = { .size = sizeof(a),
				      .addr = t->mem.addr,
				      .bytes = PAGE,
				      .access = VN_ACCESS_REMOTE_READ };
	int err = call(last(t), VN_IOCTL_WINDOW_CREATE, &a);

	if (!err)
		t->key = a.key;
	return err;
}

static inline int take_import(struct taker *t)
{
	int64_t at = window_import(last(t), 0, t->key, VN_ACCESS_REMOTE_READ);

	return at < 0 ? (int)at : 0;
}

static inline int take_plan(struct taker *t)
{
	uint32_t plan;

	return plan_create(last(t), 0, t->descs, t->ndescs, &plan);
}

static inline int take_status(struct taker *t)
{
	struct vn_status_create a = { .size = sizeof(a) };

	return call(last(t), VN_IOCTL_STATUS_CREATE, &a);
}

static inline int take_hbm(struct taker *t)
{
	struct vn_mem_alloc a = { .size = sizeof(a), .bytes = 1 << 20 };

	return call(last(t), VN_IOCTL_MEM_ALLOC, &a);
}

static const struct {
	const char *name;
	int (*take)(struct taker *t);
} kinds[] = {
	{ "context", take_context }, { "domain", take_domain }, { "queue", take_queue },
	{ "window", take_window },   { "import", take_import }, { "plan", take_plan },
	{ "status", take_status },   { "hbm", take_hbm },
};

/* A context with chip 0, memory on it and a window on that. */
static inline struct taker *taker_new(uint32_t depth, uint32_t ndescs)
{
	struct taker *t = calloc(1, sizeof(*t));

	must(t);
	t->depth = depth;
	t->ndescs = ndescs;
	t->descs = calloc(ndescs, sizeof(*t->descs));
	must(t->descs && !take_context(t));
	attach(last(t), 0);
	t->mem = mem_alloc(last(t), 0, PAGE);
	must(!take_window(t));
	return t;
}

/* Ends with all of it. */
static inline void taker_end(struct taker *t)
{
	munmap(t->mem.ptr, t->mem.bytes);
	while (t->nctx)
		close(t->ctx[--t->nctx]);
	free(t->descs);
	free(t);
}

/* How many could be had, and why no more. */
static inline uint32_t greed(struct taker *t, int (*take)(struct taker *t), int *err)
{
	uint32_t n = 0;

	while (n < GREED_MAX && !(*err = take(t)))
		n++;
	return n;
}

/* Root is above the limits of a user only with that. */
static inline void drop_resource(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	must(!syscall(SYS_capget, &h, d));
	d[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	d[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	d[0].inheritable &= ~(1u << CAP_SYS_RESOURCE);
	must(!syscall(SYS_capset, &h, d));
}

#endif
