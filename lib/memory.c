// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* HBM, windows over it, and domains. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "queue.h"

/* Pages by which those that follow each other are apart; a prime number of places. */
#define PLACES 61u
#define PLACE_MIN 65536u
#define PAGE 4096ull

void *vn_place(uint64_t bytes)
{
	static uint32_t count;
	uint64_t room = bytes + PLACES * PAGE, skip;
	char *at;

	if (bytes < PLACE_MIN)
		return NULL;
	at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	skip = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED) % PLACES * PAGE;
	if (skip)
		munmap(at, skip);
	munmap(at + skip + bytes, room - skip - bytes);
	return at + skip;
}

static int out_of_memory(vn_device_t dev, uint32_t chip, uint64_t bytes, int err)
{
	struct vn_chip_query q;

	if (err == -ENOSPC && !vn_chip_query(dev, chip, &q))
		vn_set_error("chip %u: %llu bytes asked, %llu of %llu bytes of HBM are free", chip,
			     (unsigned long long)bytes,
			     (unsigned long long)(q.hbm_bytes - q.hbm_used),
			     (unsigned long long)q.hbm_bytes);
	else
		vn_set_error("chip %u: %llu bytes asked: %s", chip, (unsigned long long)bytes,
			     err == -EHOSTDOWN ? "the chip is lost" : strerror(-err));
	return err;
}

/* Room in the list for one more; nothing is allocated that could not be found again. */
static int remember(vn_device_t dev, const struct vn_mem *mem, uint32_t life)
{
	struct vn_alloc *p;
	uint32_t room;

	pthread_mutex_lock(&dev->mems_lock);
	p = dev->mems;
	room = dev->mems_room;
	if (dev->nmems == room) {
		room = room ? 2 * room : 64;
		p = realloc(dev->mems, room * sizeof(*p));
		if (p) {
			dev->mems = p;
			dev->mems_room = room;
		}
	}
	if (dev->nmems < dev->mems_room)
		dev->mems[dev->nmems++] = (struct vn_alloc){ .mem = *mem, .life = life };
	pthread_mutex_unlock(&dev->mems_lock);
	return p ? 0 : -ENOMEM;
}

/* mems_lock held; NULL: none of ours */
static struct vn_alloc *entry(vn_device_t dev, const struct vn_mem *mem)
{
	for (uint32_t i = 0; i < dev->nmems; i++)
		if (dev->mems[i].mem.chip == mem->chip && dev->mems[i].mem.addr == mem->addr)
			return &dev->mems[i];
	return NULL;
}

static void forget(vn_device_t dev, const struct vn_mem *mem)
{
	struct vn_alloc *at;

	pthread_mutex_lock(&dev->mems_lock);
	__atomic_fetch_add(&dev->mems_gen, 1, __ATOMIC_RELEASE);
	at = entry(dev, mem);
	if (at)
		*at = dev->mems[--dev->nmems];
	pthread_mutex_unlock(&dev->mems_lock);
}

int vn_mem_key(vn_device_t dev, const struct vn_mem *mem, uint32_t *key)
{
	uint32_t resets = vn_chip_resets(dev, mem->chip);
	struct vn_alloc *at;
	int err = 0;

	pthread_mutex_lock(&dev->mems_lock);
	at = entry(dev, mem);
	/* A reset of the chip has ended it. */
	if (at && at->resets != resets)
		at->key = 0;
	if (at)
		at->resets = resets;
	if (!at)
		err = vn_fail(-ENOENT, "chip %u: no memory at 0x%llx", mem->chip,
			      (unsigned long long)mem->addr);
	else if (!at->key)
		err = vn_window_create(dev, &at->mem, 0, at->mem.bytes,
				       VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ |
					       VN_ACCESS_REMOTE_WRITE | VN_ACCESS_REMOTE_ATOMIC,
				       &at->key);
	if (!err)
		*key = at->key;
	pthread_mutex_unlock(&dev->mems_lock);
	return err;
}

/* Nobody reaches it by its key from now on. */
static void withdraw(vn_device_t dev, const struct vn_mem *mem)
{
	struct vn_alloc *at;
	uint32_t key = 0;

	pthread_mutex_lock(&dev->mems_lock);
	at = entry(dev, mem);
	if (at) {
		key = at->key;
		at->key = 0;
	}
	/* Where it was found before its key is asked for anew. */
	if (key)
		__atomic_fetch_add(&dev->mems_gen, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&dev->mems_lock);
	if (key)
		vn_window_invalidate(dev, mem->chip, key);
}

bool vn_mem_find(vn_device_t dev, const void *p, uint64_t bytes, struct vn_mem *mem, uint32_t *life)
{
	bool found = false;

	pthread_mutex_lock(&dev->mems_lock);
	for (uint32_t i = 0; i < dev->nmems && !found; i++) {
		const struct vn_mem *m = &dev->mems[i].mem;
		uint64_t off = (uint64_t)((const char *)p - (const char *)m->ptr);

		found = off <= m->bytes && bytes <= m->bytes - off;
		if (found)
			*mem = *m;
		if (found && life)
			*life = dev->mems[i].life;
	}
	pthread_mutex_unlock(&dev->mems_lock);
	return found;
}

uint32_t vn_chip_life(const struct vn_lib_device *dev, uint32_t chip)
{
	return dev->health ? __atomic_load_n(&dev->health->chip[chip], __ATOMIC_ACQUIRE) : 0;
}

bool vn_mem_lost(vn_device_t dev, const void *p)
{
	struct vn_mem mem;
	uint32_t life;

	/* What was read before this is older than what is looked at. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!dev->health || !__atomic_load_n(&dev->health->changes, __ATOMIC_RELAXED))
		return false;
	return vn_mem_find(dev, p, 1, &mem, &life) && life != vn_chip_life(dev, mem.chip);
}

int vn_mem_alloc(vn_device_t dev, uint32_t chip, uint64_t bytes, struct vn_mem *mem)
{
	struct vn_mem_alloc a = { .chip = chip, .bytes = bytes };
	struct vn_mem_free f = { .chip = chip };
	uint32_t life;
	void *ptr;
	int err;

	err = vn_attach(dev, chip);
	if (err)
		return err;
	life = vn_chip_life(dev, chip);
	err = vn_call(dev, VN_IOCTL_MEM_ALLOC, &a, sizeof(a));
	if (err)
		return out_of_memory(dev, chip, bytes, err);
	bytes = (bytes + dev->query.page_size - 1) & ~((uint64_t)dev->query.page_size - 1);
	err = dev->home->map(dev->ctx, a.mmap_offset, bytes, true, &ptr);
	if (err) {
		f.addr = a.addr;
		vn_call(dev, VN_IOCTL_MEM_FREE, &f, sizeof(f));
		return err;
	}
	*mem = (struct vn_mem){ .chip = chip, .addr = a.addr, .bytes = bytes, .ptr = ptr };
	if (remember(dev, mem, life)) {
		vn_mem_free(dev, mem);
		return vn_fail(-ENOMEM, "no memory to remember an allocation");
	}
	return 0;
}

int vn_mem_free(vn_device_t dev, struct vn_mem *mem)
{
	struct vn_mem_free f = { .chip = mem->chip, .addr = mem->addr };
	int err;

	withdraw(dev, mem);
	err = vn_call(dev, VN_IOCTL_MEM_FREE, &f, sizeof(f));
	if (err)
		return vn_fail(err, "chip %u: freeing memory at 0x%llx: %s", mem->chip,
			       (unsigned long long)mem->addr,
			       err == -EBUSY ? "windows lie on it" : strerror(-err));
	forget(dev, mem);
	dev->home->unmap(dev->ctx, mem->ptr, mem->bytes);
	memset(mem, 0, sizeof(*mem));
	return 0;
}

void vn_mem_begin(vn_device_t dev, void *ptr, uint64_t bytes)
{
	char *to = ptr;

	if (dev->home->begin)
		dev->home->begin(dev->ctx, &to, 1, bytes);
}

void vn_mem_end(vn_device_t dev)
{
	if (dev->home->end)
		dev->home->end(dev->ctx);
}

/* A load brackets nothing: what moves can be read all the time. */
uint64_t vn_atomic_load(vn_device_t dev, const uint64_t *word)
{
	(void)dev;
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

uint64_t vn_atomic_fetch_add(vn_device_t dev, uint64_t *word, uint64_t add)
{
	uint64_t old;

	vn_mem_begin(dev, word, sizeof(*word));
	old = __atomic_fetch_add(word, add, __ATOMIC_SEQ_CST);
	vn_mem_end(dev);
	return old;
}

uint64_t vn_atomic_cmp_swap(vn_device_t dev, uint64_t *word, uint64_t compare, uint64_t value)
{
	vn_mem_begin(dev, word, sizeof(*word));
	__atomic_compare_exchange_n(word, &compare, value, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	vn_mem_end(dev);
	return compare;
}

uint64_t vn_atomic_swap(vn_device_t dev, uint64_t *word, uint64_t value)
{
	uint64_t old;

	vn_mem_begin(dev, word, sizeof(*word));
	old = __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
	vn_mem_end(dev);
	return old;
}

static int key_error(uint32_t chip, uint32_t key, int err)
{
	const char *why = err == -ESTALE   ? "the window is gone"
			  : err == -ENOENT ? "no such window"
			  : err == -EACCES ? "not allowed"
					   : strerror(-err);

	return vn_fail(err, "chip %u: key 0x%x: %s", chip, key, why);
}

int vn_window_create(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		     uint32_t access, uint32_t *key)
{
	return vn_window_open(dev, mem, offset, bytes, access, NULL, key);
}

int vn_window_open(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		   uint32_t access, const struct vn_window_options *o, uint32_t *key)
{
	struct vn_window_create w = {
		.chip = mem->chip,
		.addr = mem->addr + offset,
		.bytes = bytes,
		.access = access,
	};
	int err;

	if (o && o->queue) {
		if (o->queue->dev != dev)
			return vn_fail(-EINVAL, "window: its queue is one of another context");
		w.flags = VN_WINDOW_QUEUE;
		w.queue = o->queue->id;
	}
	if (o)
		w.user_data = o->user_data;
	err = vn_call(dev, VN_IOCTL_WINDOW_CREATE, &w, sizeof(w));
	if (err)
		return vn_fail(err, "chip %u: window of %llu bytes at 0x%llx: %s", mem->chip,
			       (unsigned long long)bytes, (unsigned long long)w.addr,
			       strerror(-err));
	/* Before anybody can have the key: who reads its completions looks out for arrivals. */
	if (w.flags & VN_WINDOW_QUEUE)
		__atomic_store_n(&o->queue->receives, 1, __ATOMIC_RELAXED);
	*key = w.key;
	return 0;
}

int vn_window_invalidate(vn_device_t dev, uint32_t chip, uint32_t key)
{
	struct vn_window_invalidate w = { .chip = chip, .key = key };
	int err = vn_call(dev, VN_IOCTL_WINDOW_INVALIDATE, &w, sizeof(w));

	return err ? key_error(chip, key, err) : 0;
}

int vn_window_map(vn_device_t dev, uint32_t chip, uint32_t key, uint32_t access,
		  struct vn_import *imp)
{
	struct vn_window_import w = { .chip = chip, .key = key, .access = access };
	struct vn_window_release r = { 0 };
	int err = vn_call(dev, VN_IOCTL_WINDOW_IMPORT, &w, sizeof(w));

	if (err)
		return key_error(chip, key, err);
	err = dev->home->map(dev->ctx, w.mmap_offset, w.bytes, access & VN_ACCESS_REMOTE_WRITE,
			     &imp->ptr);
	if (err) {
		r.mmap_offset = w.mmap_offset;
		vn_call(dev, VN_IOCTL_WINDOW_RELEASE, &r, sizeof(r));
		return err;
	}
	imp->bytes = w.bytes;
	imp->handle = w.mmap_offset;
	return 0;
}

int vn_window_unmap(vn_device_t dev, struct vn_import *imp)
{
	struct vn_window_release r = { .mmap_offset = imp->handle };
	int err = vn_call(dev, VN_IOCTL_WINDOW_RELEASE, &r, sizeof(r));

	if (err)
		return vn_fail(err, "releasing an import: %s", strerror(-err));
	dev->home->unmap(dev->ctx, imp->ptr, imp->bytes);
	memset(imp, 0, sizeof(*imp));
	return 0;
}

int vn_window_user(vn_device_t dev, uint32_t chip, void *ptr, uint64_t bytes, uint32_t access,
		   uint32_t *key)
{
	struct vn_window_create w = {
		.chip = chip,
		.addr = (uintptr_t)ptr,
		.bytes = bytes,
		.access = access,
		.flags = VN_WINDOW_USER,
	};
	int err = vn_attach(dev, chip) ?: vn_call(dev, VN_IOCTL_WINDOW_CREATE, &w, sizeof(w));

	if (err)
		return vn_fail(err, "chip %u: window of %llu bytes on memory at %p: %s", chip,
			       (unsigned long long)bytes, ptr,
			       err == -ENOMEM	? "it can't be pinned: no memory, or RLIMIT_MEMLOCK"
			       : err == -EFAULT ? "it is not all there, or can't be pinned"
						: strerror(-err));
	*key = w.key;
	return 0;
}

int vn_window_dmabuf(vn_device_t dev, uint32_t chip, int fd, uint64_t offset, uint64_t bytes,
		     uint32_t access, uint32_t *key)
{
	struct vn_window_create w = {
		.chip = chip,
		.addr = offset,
		.bytes = bytes,
		.access = access,
		.flags = VN_WINDOW_DMABUF,
		.fd = fd,
	};
	int err = vn_attach(dev, chip) ?: vn_call(dev, VN_IOCTL_WINDOW_CREATE, &w, sizeof(w));

	if (err)
		return vn_fail(err, "chip %u: window of %llu bytes at %llu of the dma-buf %d: %s",
			       chip, (unsigned long long)bytes, (unsigned long long)offset, fd,
			       err == -EBADF	? "it is none"
			       : err == -EACCES ? "it may not be written"
						: strerror(-err));
	*key = w.key;
	return 0;
}

int vn_window_part(vn_device_t dev, uint32_t chip, uint32_t parent, uint64_t offset, uint64_t bytes,
		   uint32_t access, uint32_t *key)
{
	struct vn_window_create w = {
		.chip = chip,
		.addr = offset,
		.bytes = bytes,
		.access = access,
		.flags = VN_WINDOW_PARENT,
		.parent = parent,
	};
	int err = vn_call(dev, VN_IOCTL_WINDOW_CREATE, &w, sizeof(w));

	if (err)
		return key_error(chip, parent, err);
	*key = w.key;
	return 0;
}

int vn_window_rebind(vn_device_t dev, uint32_t *key, const struct vn_mem *mem, uint64_t offset,
		     uint64_t bytes, uint32_t access)
{
	struct vn_window_bind w = {
		.chip = mem->chip,
		.key = *key,
		.access = access,
		.addr = mem->addr + offset,
		.bytes = bytes,
	};
	int err = vn_call(dev, VN_IOCTL_WINDOW_BIND, &w, sizeof(w));

	if (err)
		return key_error(mem->chip, *key, err);
	*key = w.key;
	return 0;
}

int vn_mem_export(vn_device_t dev, const struct vn_mem *mem, uint64_t offset, uint64_t bytes,
		  uint32_t flags)
{
	struct vn_mem_export e = {
		.chip = mem->chip,
		.addr = mem->addr + offset,
		.bytes = bytes,
		.flags = flags,
	};
	int err = vn_call(dev, VN_IOCTL_MEM_EXPORT, &e, sizeof(e));

	if (err)
		return vn_fail(err, "chip %u: exporting %llu bytes at 0x%llx: %s", mem->chip,
			       (unsigned long long)bytes, (unsigned long long)e.addr,
			       strerror(-err));
	return e.fd;
}

int vn_domain_export(vn_device_t dev)
{
	struct vn_domain_export d = { 0 };
	int err = vn_call(dev, VN_IOCTL_DOMAIN_EXPORT, &d, sizeof(d));

	return err ?: d.fd;
}

int vn_domain_join(vn_device_t dev, int fd)
{
	struct vn_domain_join d = { .fd = fd };
	int err = vn_call(dev, VN_IOCTL_DOMAIN_JOIN, &d, sizeof(d));

	if (err)
		return vn_fail(err, "joining the domain of fd %d: %s", fd,
			       err == -EBUSY   ? "this context has windows or imports in another"
			       : err == -EBADF ? "not a domain of this UltraServer"
					       : strerror(-err));
	return 0;
}
