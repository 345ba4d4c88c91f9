// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Opening an UltraServer: which home, and the calls every home has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "home.h"
#include "netlink.h"
#include "queue.h"
#include "spec.h"

#define DEFAULT_NODE "/dev/vneuron0"

const char *vn_version(void)
{
	return VN_VERSION;
}

void vn_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

uint64_t vn_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t vn_deadline(uint64_t timeout_ns)
{
	uint64_t now;

	/* Reading the clock is a good part of a short call. */
	if (timeout_ns == VN_FOREVER)
		return UINT64_MAX;
	now = vn_now();
	return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

uint64_t vn_left(uint64_t deadline)
{
	uint64_t now;

	if (deadline == UINT64_MAX)
		return VN_FOREVER;
	now = vn_now();
	return deadline > now ? deadline - now : 0;
}

int vn_call(struct vn_lib_device *dev, uint32_t cmd, void *arg, uint32_t size)
{
	*(uint32_t *)arg = size;
	__atomic_fetch_add(&dev->calls, 1, __ATOMIC_RELAXED);
	return dev->home->call(dev->ctx, cmd, arg);
}

void vn_handle_add(struct vn_lib_device *dev, struct vn_handle *h)
{
	pthread_mutex_lock(&dev->handles_lock);
	h->next = dev->handles;
	dev->handles = h;
	pthread_mutex_unlock(&dev->handles_lock);
}

void vn_handle_remove(struct vn_lib_device *dev, struct vn_handle *h)
{
	struct vn_handle **at;

	pthread_mutex_lock(&dev->handles_lock);
	for (at = &dev->handles; *at && *at != h; at = &(*at)->next)
		;
	if (*at)
		*at = h->next;
	pthread_mutex_unlock(&dev->handles_lock);
}

static int finish_open(struct vn_lib_device *d, vn_device_t *dev)
{
	int err = vn_device_query(d, &d->query);

	if (err == -ENOTTY)
		vn_set_error("%s: not the node of an UltraServer", d->spec);
	if (err) {
		d->home->close(d->ctx);
		free(d);
		return err;
	}
	d->health = d->home->health ? d->home->health(d->ctx) : NULL;
	pthread_mutex_init(&d->handles_lock, NULL);
	pthread_mutex_init(&d->mems_lock, NULL);
	*dev = d;
	return 0;
}

int vn_open(const char *spec, vn_device_t *dev)
{
	struct vn_lib_device *d;
	struct vn_spec s;
	int err;

	if (!spec || !*spec)
		spec = getenv("VNEURON_DEVICE");
	if (!spec || !*spec)
		spec = access(DEFAULT_NODE, F_OK) ? "embedded" : DEFAULT_NODE;
	err = vn_spec_parse(spec, &s);
	if (err)
		return err;
	d = calloc(1, sizeof(*d));
	if (!d)
		return vn_fail(-ENOMEM, "no memory for a device handle");
	snprintf(d->spec, sizeof(d->spec), "%s", spec);
	d->home = s.node[0] ? &vn_home_kernel : s.pid ? &vn_home_remote : &vn_home_embedded;
	err = d->home->open(&s, &d->ctx);
	if (err) {
		free(d);
		return err;
	}
	return finish_open(d, dev);
}

int vn_reopen(vn_device_t dev, vn_device_t *peer)
{
	struct vn_lib_device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return vn_fail(-ENOMEM, "no memory for a device handle");
	memcpy(d->spec, dev->spec, sizeof(d->spec));
	d->home = dev->home;
	err = d->home->reopen(dev->ctx, &d->ctx);
	if (err) {
		free(d);
		return err;
	}
	return finish_open(d, peer);
}

void vn_close(vn_device_t dev)
{
	struct vn_handle *h;

	if (!dev)
		return;
	dev->home->close(dev->ctx);
	/* What they named ended with the context; these are only the handles. */
	while ((h = dev->handles)) {
		dev->handles = h->next;
		if (!h->plan)
			vn_queue_forget((struct vn_lib_queue *)h);
		free(h);
	}
	pthread_mutex_destroy(&dev->handles_lock);
	pthread_mutex_destroy(&dev->mems_lock);
	free(dev->mems);
	free(dev);
}

/* Arrays have room for what a machine can be; another process may say anything. */
static int check_shape(vn_device_t dev, const struct vn_query *q)
{
	if (q->abi != VN_ABI_VERSION)
		return vn_fail(-EPROTO, "%s: speaks ABI %u, this library speaks %u", dev->spec,
			       q->abi, VN_ABI_VERSION);
	if (q->sleds && q->sleds <= VN_MAX_SLEDS && q->spares <= VN_MAX_SPARES &&
	    q->chips_per_sled && q->chips_per_sled <= VN_MAX_CHIPS_PER_SLED &&
	    q->chips == q->sleds * q->chips_per_sled && q->chips <= VN_MAX_CHIPS && q->page_size)
		return 0;
	return vn_fail(-EPROTO,
		       "%s: says that it has %u chips on %u sleds of %u, %u spares and pages of %u "
		       "bytes: there is no such machine",
		       dev->spec, q->chips, q->sleds, q->chips_per_sled, q->spares, q->page_size);
}

int vn_device_query(vn_device_t dev, struct vn_query *q)
{
	int err;

	memset(q, 0, sizeof(*q));
	err = vn_call(dev, VN_IOCTL_QUERY, q, sizeof(*q));
	return err ?: check_shape(dev, q);
}

/* As check_shape(): where a chip of it can be. */
static int check_place(vn_device_t dev, uint32_t chip, const struct vn_chip_query *q)
{
	const struct vn_query *m = &dev->query;

	if (q->chip == chip && q->sled < m->sleds + m->spares &&
	    q->slot / m->chips_per_sled == q->sled)
		return 0;
	return vn_fail(-EPROTO, "%s: says that chip %u is chip %u, on sled %u, in slot %u: no such",
		       dev->spec, chip, q->chip, q->sled, q->slot);
}

int vn_chip_query(vn_device_t dev, uint32_t chip, struct vn_chip_query *q)
{
	int err;

	memset(q, 0, sizeof(*q));
	q->chip = chip;
	err = vn_call(dev, VN_IOCTL_CHIP_QUERY, q, sizeof(*q));
	if (err == -ENODEV)
		vn_set_error("chip %u: there are chips 0 to %u", chip, dev->query.chips - 1);
	return err ?: check_place(dev, chip, q);
}

int vn_chip_reset(vn_device_t dev, uint32_t chip)
{
	if (chip >= dev->query.chips)
		return vn_fail(-ENODEV, "chip %u: there are chips 0 to %u", chip,
			       dev->query.chips - 1);
	return dev->home->chip_reset(dev->ctx, chip);
}

uint32_t vn_chip_resets(vn_device_t dev, uint32_t chip)
{
	return dev->health && chip < dev->query.chips
		       ? __atomic_load_n(&dev->health->reset[chip], __ATOMIC_ACQUIRE)
		       : 0;
}

const char *vn_device_home(vn_device_t dev)
{
	return dev->home->name;
}

const char *vn_device_spec(vn_device_t dev)
{
	return dev->spec;
}

int vn_device_fd(vn_device_t dev)
{
	return dev->home->fd(dev->ctx);
}

uint64_t vn_device_calls(vn_device_t dev)
{
	return __atomic_load_n(&dev->calls, __ATOMIC_RELAXED);
}

int vn_attach(vn_device_t dev, uint32_t chip)
{
	int err;

	if (chip >= dev->query.chips)
		return vn_fail(-ENODEV, "chip %u: there are chips 0 to %u", chip,
			       dev->query.chips - 1);
	if (__atomic_load_n(&dev->attached[chip], __ATOMIC_RELAXED))
		return 0;
	__atomic_fetch_add(&dev->calls, 1, __ATOMIC_RELAXED);
	err = dev->home->attach(dev->ctx, chip);
	if (!err)
		__atomic_store_n(&dev->attached[chip], 1, __ATOMIC_RELAXED);
	return err;
}

int vn_ranks(vn_device_t dev, struct vn_rank *ranks, unsigned int max)
{
	return dev->home->ranks(dev->ctx, ranks, max);
}

int vn_ports(vn_device_t dev, struct vn_port *ports, unsigned int max)
{
	return dev->home->ports(dev->ctx, ports, max);
}

int vn_nl_open_device(vn_device_t dev, struct vn_nl **nl)
{
	*nl = NULL;
	return dev->home->netlink ? dev->home->netlink(dev->ctx, nl) : 0;
}
