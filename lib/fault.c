// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Faults made on purpose, and what is lost. */
#include <errno.h>
#include <string.h>

#include "home.h"
#include "include/vneuron/fault.h"

static const char *const names[VN_FAULT_KINDS] = {
	[VN_FAULT_ANY] = "any",
	[VN_FAULT_SLED_LOSS] = "sled_loss",
	[VN_FAULT_CHIP_LOSS] = "chip_loss",
	[VN_FAULT_LINK_CUT] = "link_cut",
	[VN_FAULT_COPY_CORRUPT] = "copy_corrupt",
	[VN_FAULT_ALLOC_FAIL] = "alloc_fail",
};

const char *vn_fault_name(uint32_t kind)
{
	return kind < VN_FAULT_KINDS ? names[kind] : NULL;
}

static bool of_chip(const struct vn_fault *f)
{
	return f->kind == VN_FAULT_CHIP_LOSS;
}

static int refused(vn_device_t dev, const struct vn_fault *f, const char *what, int err)
{
	const char *name = vn_fault_name(f->kind);

	switch (err) {
	case -ENODEV:
		return vn_fail(err, "%s: no %s %u: there are %s 0 to %u", name,
			       of_chip(f) ? "chip" : "sled", f->where,
			       of_chip(f) ? "chips" : "sleds",
			       of_chip(f) ? dev->query.chips - 1
					  : dev->query.sleds + dev->query.spares - 1);
	case -ENOENT:
		return f->kind <= VN_FAULT_LINK_CUT
			       ? vn_fail(err, "%s: %s %u has no such fault", name,
					 of_chip(f) ? "chip" : "sled", f->where)
			       : vn_fail(err, "%s: there is none", name);
	case -EINVAL:
		return name ? vn_fail(err, "%s: place %u, count %u: not to be %s", name, f->where,
				      f->count, what)
			    : vn_fail(err, "no kind of fault %u", f->kind);
	}
	/* Its home has said what. */
	return err;
}

static int none(vn_device_t dev)
{
	return vn_fail(-EOPNOTSUPP, "the %s device takes no faults", dev->home->name);
}

int vn_fault_inject(vn_device_t dev, const struct vn_fault *f)
{
	if (!dev->home->fault_make)
		return none(dev);
	return refused(dev, f, "made", dev->home->fault_make(dev->ctx, f));
}

int vn_fault_clear(vn_device_t dev, const struct vn_fault *f)
{
	if (!dev->home->fault_clear)
		return none(dev);
	return refused(dev, f, "cleared", dev->home->fault_clear(dev->ctx, f));
}

int vn_fault_list(vn_device_t dev, struct vn_fault *to, unsigned int max)
{
	return dev->home->fault_list ? dev->home->fault_list(dev->ctx, to, max) : none(dev);
}

/* How often it was lost and found again, in turn. */
static bool odd(const uint32_t *count)
{
	return __atomic_load_n(count, __ATOMIC_ACQUIRE) & 1;
}

bool vn_chip_lost(vn_device_t dev, uint32_t chip)
{
	return dev->health && chip < dev->query.chips && odd(&dev->health->chip[chip]);
}

bool vn_link_cut(vn_device_t dev, uint32_t sled)
{
	return dev->health && sled < dev->query.sleds + dev->query.spares &&
	       odd(&dev->health->link[sled]);
}
