/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a sweep does with mappings, and with a context that has one of each. */
#ifndef VN_TEST_SWEEP_MAPS_H
#define VN_TEST_SWEEP_MAPS_H

#include <linux/dma-buf.h>
#include <sys/wait.h>
#include "sweep_calls.h"

static int map_it(int prot)
{
	w.map = mmap(NULL, w.bytes, prot, MAP_SHARED, w.fresh, (off_t)w.offset);
	return w.map == MAP_FAILED ? -errno : 0;
}

static int do_map(void)
{
	return map_it(PROT_READ | PROT_WRITE);
}

static int do_map_read(void)
{
	return map_it(PROT_READ);
}

static void end_map(void)
{
	munmap(w.map, w.bytes);
	end_all();
}

static void begin_map_mem(void)
{
	begin_window();
	w.offset = w.mem.offset;
	w.bytes = BYTES;
}

static void begin_map_import(void)
{
	begin_import();
	must(!do_import());
	w.offset = a.import.mmap_offset;
	w.bytes = BYTES;
}

static void begin_map_queue(void)
{
	begin_queue_id();
	munmap((void *)w.queue.ring, w.queue.bytes);
	w.offset = w.queue.offset;
	w.bytes = w.queue.bytes;
}

static void begin_map_status(void)
{
	struct vn_status_create s = { .size = sizeof(s) };

	begin_window();
	must(!call(w.fresh, VN_IOCTL_STATUS_CREATE, &s));
	w.offset = s.mmap_offset;
	w.bytes = s.bytes;
}

static void begin_map_health(void)
{
	begin_window();
	w.offset = VN_HEALTH_OFFSET;
	w.bytes = PAGE;
}

static int do_map_export(void)
{
	w.map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, w.session, 0);
	return w.map == MAP_FAILED ? -errno : 0;
}

static void begin_touch_export(void)
{
	begin_exported();
	must(!do_map_export());
}

static void end_map_export(void)
{
	munmap(w.map, BYTES);
	end_exported();
}

static int do_sync(void)
{
	struct dma_buf_sync sync = { DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	return call(w.session, DMA_BUF_IOCTL_SYNC, &sync);
}

static void begin_touch_mem(void)
{
	begin_map_mem();
	must(!do_map());
}

static void begin_touch_import(void)
{
	begin_map_import();
	must(!do_map());
}

static int do_read(void)
{
	return touch(w.map, false) ? -EIO : 0;
}

static int do_write(void)
{
	return touch(w.map + PAGE, true) ? -EIO : 0;
}

/* Mapped for reading first, and marked when it is written. */
static void begin_touch_copied(void)
{
	begin_touch_mem();
	w.sled = sled_of(w.ctx, CHIP);
	w.session = drain_till(w.ctx, w.sled, VN_SLED_PRECOPY);
	must(!touch(w.map + PAGE, false));
}

static void end_touch_copied(void)
{
	close(w.session);
	end_map();
}

static int do_split(void)
{
	return mprotect(w.map + PAGE, PAGE, PROT_READ) ? -errno : 0;
}

static int do_punch(void)
{
	return munmap(w.map + PAGE, PAGE) ? -errno : 0;
}

static void begin_remap(void)
{
	begin_touch_mem();
	w.to = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(w.to != MAP_FAILED);
}

/* Where it was may stay mapped, too: what the kernel can't take down it leaves. */
static int do_remap(void)
{
	uint8_t *to = mremap(w.map, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, w.to);

	return to == MAP_FAILED ? -errno : 0;
}

static void end_remap(void)
{
	munmap(w.to, BYTES);
	end_map();
}

static int do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return 0;
}

/* A context with one of each, and work under way. */
static void begin_all(void)
{
	struct vn_status_create s = { .size = sizeof(s) };
	struct vn_desc nop = { .opcode = VN_OP_NOP }, stuck;
	uint32_t plan;

	begin_map_import();
	must(!do_map());
	must(!call(w.fresh, VN_IOCTL_STATUS_CREATE, &s));
	must(!plan_create(w.fresh, CHIP, &nop, 1, &plan));
	w.queue = queue_create(w.fresh, CHIP, 8, -1);
	stuck = sem_desc(VN_OP_SEM_WAIT, at(&w.mem, 0), ~0ull);
	submit(&w.queue, &nop);
	submit(&w.queue, &stuck);
	must(!queue_doorbell(&w.queue));
}

static int do_close(void)
{
	close(w.fresh);
	w.fresh = -1;
	return 0;
}

static void end_all_mapped(void)
{
	munmap((void *)w.queue.ring, w.queue.bytes);
	end_map();
}

#endif
