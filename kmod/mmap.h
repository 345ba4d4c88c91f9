/* SPDX-License-Identifier: GPL-2.0-only */
/* Things that can be mapped, and the offsets that name them. */
#ifndef VN_MMAP_H
#define VN_MMAP_H

#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct vn_context;
struct vn_object;

/* An offset is a number unique on the device, and a byte below 2^40. */
#define VN_OBJECT_PAGE_BITS	(40 - PAGE_SHIFT)
#define VN_OBJECT_PAGE_MASK	(BIT_ULL(VN_OBJECT_PAGE_BITS) - 1)

struct vn_object_ops {
	/* At mmap(), with the range checked; may set and clear flags. */
	int (*mmap)(struct vn_object *o, struct vm_area_struct *vma);
	const struct vm_operations_struct *vm_ops;
	void (*free)(struct vn_object *o);
};

/*
 * Memory, a queue, an import, or a status page. References: its context's (dropped when the
 * object is freed, destroyed or released), one per VMA, one per thread that is
 * using it. ops->free gives it back with the last.
 */
struct vn_object {
	refcount_t refs;
	u32 id;			/* 0: none */
	u64 pages;
	const struct vn_object_ops *ops;
	struct vn_context *owner;	/* under the table's lock; NULL: hidden */
};

int vn_mmap_init(void);
void vn_mmap_exit(void);

/* Names a new, zeroed object, hidden, with its first reference. 0, -ENOMEM, -ENOSPC. */
int vn_object_init(struct vn_object *o, const struct vn_object_ops *ops, u64 bytes);
/* Lets the context's mmap() find it. */
void vn_object_show(struct vn_object *o, struct vn_context *owner);
/* From now on mmap() does not find it; its number stays taken until it is freed. */
void vn_object_hide(struct vn_object *o);
void vn_object_get(struct vn_object *o);
void vn_object_put(struct vn_object *o);
u64 vn_object_offset(const struct vn_object *o);
/* The number in an offset that is an object's first; else 0. */
unsigned long vn_object_id(u64 offset);
/* Takes all mappings of an object down; the next touch is a fault. */
void vn_object_unmap(struct vn_object *o);
/* [first, first + n) of its pages. */
void vn_object_unmap_pages(struct vn_object *o, u64 first, u64 n);

/* vm_operations_struct: every VMA of an object holds it. */
void vn_vma_open(struct vm_area_struct *vma);
void vn_vma_close(struct vm_area_struct *vma);

int vn_mmap(struct file *file, struct vm_area_struct *vma);
/*
 * The file that a context's VMAs hold instead of its own, so that closing that
 * one ends the context whatever is still mapped. It keeps the module, and all
 * of them share one address_space, in which an object's offset is its place.
 */
struct file *vn_mmap_file(void);

#endif
