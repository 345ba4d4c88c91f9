// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "domain.h"
#include "memory.h"

struct vn_domain *vn_domain_new(struct vn_user *user)
{
	struct vn_domain *d = kzalloc(sizeof(*d), VN_GFP_USER);
	int err;

	if (!d)
		return ERR_PTR(-ENOMEM);
	err = vn_user_charge(user, VN_USE_DOMAINS, 1);
	if (err) {
		kfree(d);
		return ERR_PTR(err);
	}
	d->user = user;
	refcount_set(&d->refs, 1);
	mutex_init(&d->windows_lock);
	return d;
}

void vn_domain_get(struct vn_domain *d)
{
	refcount_inc(&d->refs);
}

void vn_domain_put(struct vn_domain *d)
{
	if (!refcount_dec_and_test(&d->refs))
		return;
	for (u32 i = 0; i < VN_MAX_CHIPS; i++) {
		if (!d->table.chip[i])
			continue;
		vn_table_free_blocks(d->table.chip[i]);
		kvfree(d->table.chip[i]);
	}
	mutex_destroy(&d->windows_lock);
	vn_user_uncharge(d->user, VN_USE_DOMAINS, 1);
	kfree(d);
}

static int domain_release(struct inode *inode, struct file *file)
{
	vn_domain_put(file->private_data);
	return 0;
}

static const struct file_operations domain_fops = {
	.owner = THIS_MODULE,
	.release = domain_release,
	.llseek = noop_llseek,
};

int vn_call_domain_export(struct vn_context *ctx, void *arg, struct file **file)
{
	struct vn_domain_export *a = arg;
	struct vn_domain *d;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	mutex_lock(&ctx->objects_lock);
	d = ctx->domain;
	vn_domain_get(d);
	mutex_unlock(&ctx->objects_lock);
	*file = anon_inode_getfile("[vneuron-domain]", &domain_fops, d, O_RDWR);
	if (IS_ERR(*file)) {
		put_unused_fd(fd);
		vn_domain_put(d);
		return PTR_ERR(*file);
	}
	a->fd = fd;
	return 0;
}

int vn_call_domain_join(struct vn_context *ctx, void *arg)
{
	const struct vn_domain_join *a = arg;
	struct file *file = fget(a->fd);
	struct vn_domain *d;
	int err = -EBADF;

	if (!file)
		return -EBADF;
	if (file->f_op != &domain_fops)
		goto put;
	d = file->private_data;
	mutex_lock(&ctx->objects_lock);
	err = 0;
	if (d != ctx->domain && !(xa_empty(&ctx->windows) && xa_empty(&ctx->imports)))
		err = -EBUSY;
	if (!err) {
		/* Queues hold the domain in which they were made. */
		vn_domain_get(d);
		swap(d, ctx->domain);
	}
	mutex_unlock(&ctx->objects_lock);
	if (!err)
		vn_domain_put(d);
put:
	fput(file);
	return err;
}

struct vn_window_table *vn_domain_table_for_one(struct vn_domain *d, u32 chip)
{
	struct vn_window_table *t = d->table.chip[chip];
	int err;

	lockdep_assert_held(&d->windows_lock);
	if (!t) {
		t = kvmalloc(sizeof(*t), VN_GFP_USER);
		if (!t)
			return ERR_PTR(-ENOMEM);
		vn_table_init(t, 16);
		vn_store_release(&d->table.chip[chip], t);
	}
	err = vn_table_reserve(t);
	return err ? ERR_PTR(err) : t;
}

struct vn_share *vn_domain_find(struct vn_domain *d, u32 chip, u32 key)
{
	struct vn_window_table *t = d->table.chip[vn_chip_index(chip)];
	u32 status = VN_BAD_KEY;
	struct vn_window *w = t ? vn_table_find(t, key, &status) : NULL;

	lockdep_assert_held(&d->windows_lock);
	if (!w)
		return ERR_PTR(status == VN_STALE_KEY ? -ESTALE : -ENOENT);
	return w->owner;
}
