// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel home: /dev/vneuron0 and its chip nodes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "home.h"
#include "netlink.h"

/* A page of the host's. */
#define HEALTH_BYTES 4096

/*
 * A mapping holds the node open: what is still mapped goes when the context
 * does, or its memory would stay taken.
 */
struct mapping {
	struct mapping *next;
	void *ptr;
	uint64_t bytes;
};

struct node {
	int fd;
	char path[256];
	pthread_mutex_t mappings_lock;
	struct mapping *mappings;
	const struct vn_health *health; /* or NULL */
};

/* What an errno of the module means, where the C library has another text. */
static const char *meaning(int err)
{
	return err == -EDQUOT ? "as many as a user may have (module parameters user_...)"
			      : strerror(-err);
}

static int open_path(const char *path, void **ctx)
{
	struct node *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return vn_fail(-ENOMEM, "no memory for a device handle");
	snprintf(n->path, sizeof(n->path), "%s", path);
	n->fd = open(path, O_RDWR | O_CLOEXEC);
	if (n->fd < 0) {
		err = -errno;
		free(n);
		return vn_fail(err, "%s: %s", path, meaning(err));
	}
	pthread_mutex_init(&n->mappings_lock, NULL);
	n->health = mmap(NULL, HEALTH_BYTES, PROT_READ, MAP_SHARED, n->fd, VN_HEALTH_OFFSET);
	if (n->health == MAP_FAILED)
		n->health = NULL;
	*ctx = n;
	return 0;
}

static int kernel_open(const struct vn_spec *spec, void **ctx)
{
	return open_path(spec->node, ctx);
}

static int kernel_reopen(void *ctx, void **peer)
{
	return open_path(((struct node *)ctx)->path, peer);
}

static void kernel_close(void *ctx)
{
	struct node *n = ctx;
	struct mapping *m;

	while ((m = n->mappings)) {
		n->mappings = m->next;
		munmap(m->ptr, m->bytes);
		free(m);
	}
	if (n->health)
		munmap((void *)n->health, HEALTH_BYTES);
	close(n->fd);
	pthread_mutex_destroy(&n->mappings_lock);
	free(n);
}

static int kernel_call(void *ctx, uint32_t cmd, void *arg)
{
	struct node *n = ctx;
	int ret;

	do
		ret = ioctl(n->fd, cmd, arg);
	while (ret < 0 && errno == EINTR && cmd == VN_IOCTL_WAIT);
	if (ret < 0) {
		ret = -errno;
		vn_set_error("%s: %s", n->path, meaning(ret));
		return ret;
	}
	return 0;
}

static int kernel_attach(void *ctx, uint32_t chip)
{
	struct vn_chip_attach a = { .size = sizeof(a) };
	struct node *n = ctx;
	char path[300];
	int err;

	snprintf(path, sizeof(path), "%sc%u", n->path, chip);
	a.fd = open(path, O_RDWR | O_CLOEXEC);
	if (a.fd < 0) {
		err = -errno;
		return vn_fail(err, "%s: %s", path, strerror(-err));
	}
	err = kernel_call(ctx, VN_IOCTL_CHIP_ATTACH, &a);
	close(a.fd);
	return err;
}

static int kernel_map(void *ctx, uint64_t offset, uint64_t bytes, bool write, void **ptr)
{
	struct mapping *m = malloc(sizeof(*m));
	struct node *n = ctx;
	void *at;
	int err;

	if (!m)
		return vn_fail(-ENOMEM, "no memory for a mapping");
	at = vn_place(bytes);
	m->ptr = mmap(at, bytes, PROT_READ | (write ? PROT_WRITE : 0),
		      MAP_SHARED | (at ? MAP_FIXED : 0), n->fd, offset);
	if (m->ptr == MAP_FAILED) {
		err = -errno;
		if (at)
			munmap(at, bytes);
		free(m);
		return vn_fail(err, "%s: mapping %llu bytes: %s", n->path,
			       (unsigned long long)bytes, strerror(-err));
	}
	m->bytes = bytes;
	pthread_mutex_lock(&n->mappings_lock);
	m->next = n->mappings;
	n->mappings = m;
	pthread_mutex_unlock(&n->mappings_lock);
	*ptr = m->ptr;
	return 0;
}

static void kernel_unmap(void *ctx, void *ptr, uint64_t bytes)
{
	struct mapping **at, *m;
	struct node *n = ctx;

	pthread_mutex_lock(&n->mappings_lock);
	for (at = &n->mappings; *at && (*at)->ptr != ptr; at = &(*at)->next)
		;
	m = *at;
	if (m)
		*at = m->next;
	pthread_mutex_unlock(&n->mappings_lock);
	free(m);
	munmap(ptr, bytes);
}

static int kernel_ports(void *ctx, struct vn_port *ports, unsigned int max)
{
	struct vn_nl *nl;
	int ret = vn_nl_open(&nl);

	(void)ctx;
	if (ret)
		return ret;
	ret = vn_nl_ports(nl, ports, max);
	vn_nl_close(nl);
	return ret;
}

static int kernel_ranks(void *ctx, struct vn_rank *ranks, unsigned int max)
{
	struct vn_nl *nl;
	int ret = vn_nl_open(&nl);

	(void)ctx;
	if (ret)
		return ret;
	ret = vn_nl_ranks(nl, ranks, max);
	vn_nl_close(nl);
	return ret;
}

static int kernel_drain_open(void *ctx, struct vn_drain_open *a, void **session)
{
	int err = kernel_call(ctx, VN_IOCTL_DRAIN_OPEN, a), *fd;

	*session = NULL;
	if (err || a->fd < 0)
		return err;
	fd = malloc(sizeof(*fd));
	if (!fd) {
		close(a->fd);
		return -ENOMEM;
	}
	*fd = a->fd;
	*session = fd;
	return 0;
}

static int kernel_drain_step(void *session, struct vn_drain_step *a)
{
	return ioctl(*(int *)session, VN_IOCTL_DRAIN_STEP, a) ? -errno : 0;
}

static void kernel_drain_close(void *session)
{
	close(*(int *)session);
	free(session);
}

static int kernel_drain_cancel(void *ctx, uint32_t sled, uint64_t operation)
{
	struct vn_nl *nl;
	int err = vn_nl_open(&nl);

	(void)ctx;
	if (err)
		return err;
	err = vn_nl_cancel(nl, sled, operation);
	vn_nl_close(nl);
	return err;
}

static int kernel_fault_list(void *ctx, struct vn_fault *to, unsigned int max)
{
	struct vn_nl *nl;
	int ret = vn_nl_open(&nl);

	(void)ctx;
	if (ret)
		return ret;
	ret = vn_nl_faults(nl, to, max);
	vn_nl_close(nl);
	return ret;
}

static int about_fault(int (*what)(struct vn_nl *nl, const struct vn_fault *f),
		       const struct vn_fault *f)
{
	struct vn_nl *nl;
	int err = vn_nl_open(&nl);

	if (err)
		return err;
	err = what(nl, f);
	vn_nl_close(nl);
	return err;
}

static int kernel_fault_make(void *ctx, const struct vn_fault *f)
{
	(void)ctx;
	return about_fault(vn_nl_fault_make, f);
}

static int kernel_fault_clear(void *ctx, const struct vn_fault *f)
{
	(void)ctx;
	return about_fault(vn_nl_fault_clear, f);
}

static int kernel_chip_reset(void *ctx, uint32_t chip)
{
	struct vn_nl *nl;
	int err = vn_nl_open(&nl);

	(void)ctx;
	if (err)
		return err;
	err = vn_nl_chip_reset(nl, chip);
	vn_nl_close(nl);
	return err;
}

static int kernel_events(void *ctx, const struct vn_event_ops **ops, void **from)
{
	struct vn_nl *nl;
	int err = vn_nl_open(&nl);

	(void)ctx;
	return err ?: vn_nl_events(nl, ops, from);
}

static int kernel_netlink(void *ctx, struct vn_nl **nl)
{
	(void)ctx;
	return vn_nl_open(nl);
}

static const struct vn_health *kernel_health(void *ctx)
{
	return ((struct node *)ctx)->health;
}

static int kernel_fd(void *ctx)
{
	return ((struct node *)ctx)->fd;
}

const struct vn_home vn_home_kernel = {
	.name = "kernel",
	.open = kernel_open,
	.reopen = kernel_reopen,
	.close = kernel_close,
	.call = kernel_call,
	.attach = kernel_attach,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.ports = kernel_ports,
	.ranks = kernel_ranks,
	.fd = kernel_fd,
	.drain_open = kernel_drain_open,
	.drain_step = kernel_drain_step,
	.drain_close = kernel_drain_close,
	.drain_cancel = kernel_drain_cancel,
	.fault_make = kernel_fault_make,
	.fault_clear = kernel_fault_clear,
	.fault_list = kernel_fault_list,
	.chip_reset = kernel_chip_reset,
	.health = kernel_health,
	.events = kernel_events,
	.netlink = kernel_netlink,
};
