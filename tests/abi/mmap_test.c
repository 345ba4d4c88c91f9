// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what can be mapped (only a context's own objects, only inside them),
 * with which rights, and that a mapping stands whatever is done to it: fork,
 * partial unmapping, moving, the end of the object, of the fd, of the context.
 */
#include <sys/uio.h>
#include <sys/wait.h>
#include "abi.h"

static int ctx;
static struct mem mem;
static struct queue queue;
static int64_t import_rw, import_ro;
static struct status status;

#define PAGES 8u

static int try_mmap(int fd, uint64_t offset, uint64_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

/* The objects of a context, by name. */
static struct object {
	const char *name;
	uint64_t offset, bytes;
	int prot;
} objects[5];

static void test_offsets(void)
{
	uint32_t wrong = 0, own = 0;
	int other = open_on(0);

	for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++) {
		const struct object *o = &objects[i];

		tap_result(try_mmap(ctx, o->offset, o->bytes, o->prot, MAP_SHARED), 0, "%s: whole",
			   o->name);
		tap_result(try_mmap(ctx, o->offset + o->bytes - PAGE, PAGE, o->prot, MAP_SHARED), 0,
			   "%s: its last page", o->name);
		tap_result(try_mmap(ctx, o->offset, o->bytes + PAGE, o->prot, MAP_SHARED), -EINVAL,
			   "%s: a page too long", o->name);
		tap_result(try_mmap(ctx, o->offset + PAGE, o->bytes, o->prot, MAP_SHARED), -EINVAL,
			   "%s: a page too far", o->name);
		tap_result(try_mmap(ctx, o->offset + o->bytes, PAGE, o->prot, MAP_SHARED), -EINVAL,
			   "%s: behind its end", o->name);
		tap_result(try_mmap(other, o->offset, PAGE, o->prot, MAP_SHARED), -EINVAL,
			   "%s: through another context", o->name);
		tap_result(try_mmap(ctx, o->offset, PAGE, o->prot | PROT_EXEC, MAP_SHARED), -EACCES,
			   "%s: executable", o->name);
		/* From each object, any one bit away. */
		for (uint32_t bit = 12; bit < 64; bit++) {
			uint64_t off = o->offset ^ 1ull << bit;
			bool mine = false;
			int err = try_mmap(ctx, off, PAGE, PROT_READ, MAP_SHARED);

			for (uint32_t j = 0; j < ARRAY_SIZE(objects); j++)
				mine |= off >= objects[j].offset &&
					off < objects[j].offset + objects[j].bytes;
			own += mine;
			/* The kernel itself has EOVERFLOW for what is no offset at all. */
			wrong += mine ? err != 0 : err != -EINVAL && err != -EOVERFLOW;
			err = try_mmap(other, off, PAGE, PROT_READ, MAP_SHARED);
			wrong += err != -EINVAL && err != -EOVERFLOW;
		}
	}
	for (uint32_t bit = 12; bit < 64; bit++) {
		int err = try_mmap(other, 1ull << bit, PAGE, PROT_READ, MAP_SHARED);

		wrong += err != -EINVAL && err != -EOVERFLOW;
	}
	tap_ok(!wrong && own, "no other offset, one bit away or 2^k, maps (%u do; %u are own)",
	       wrong, own);
	tap_ok(!try_mmap(other, VN_HEALTH_OFFSET, PAGE, PROT_READ, MAP_SHARED) &&
		       !try_mmap(ctx, VN_HEALTH_OFFSET, PAGE, PROT_READ, MAP_PRIVATE),
	       "what is lost is for all to read");
	tap_ok(try_mmap(other, VN_HEALTH_OFFSET, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED) ==
			       -EACCES &&
		       try_mmap(other, VN_HEALTH_OFFSET, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE) == -EACCES &&
		       try_mmap(other, VN_HEALTH_OFFSET, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED) ==
			       -EACCES,
	       "and not to write, nor to run");
	tap_result(try_mmap(other, VN_HEALTH_OFFSET, 2 * PAGE, PROT_READ, MAP_SHARED), -EINVAL,
		   "it is one page");
	{
		void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, other, VN_HEALTH_OFFSET);

		tap_ok(p != MAP_FAILED && mprotect(p, PAGE, PROT_READ | PROT_WRITE) < 0 &&
			       errno == EACCES,
		       "nor can that be had later");
		munmap(p, PAGE);
	}
	close(other);
	other = open_chip(0);
	tap_result(try_mmap(other, objects[0].offset, PAGE, PROT_READ, MAP_SHARED), -ENODEV,
		   "a chip node has nothing to map");
	tap_ok(read(other, &own, 4) < 0 && write(ctx, &own, 4) < 0,
	       "nor is there anything to read or write");
	close(other);
}

static void test_rights(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++) {
		const struct object *o = &objects[i];
		void *p;

		tap_result(try_mmap(ctx, o->offset, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE),
			   -EINVAL, "%s: a private copy is not to be had", o->name);
		p = mmap(NULL, o->bytes, o->prot, MAP_SHARED, ctx, o->offset);
		must(p != MAP_FAILED);
		tap_ok(mprotect(p, PAGE, PROT_READ | PROT_EXEC) && errno == EACCES,
		       "%s: does not become executable", o->name);
		tap_ok(mremap(p, o->bytes, 2 * o->bytes, MREMAP_MAYMOVE) == MAP_FAILED,
		       "%s: does not grow", o->name);
		tap_ok(mremap(p, 0, o->bytes, MREMAP_MAYMOVE) == MAP_FAILED,
		       "%s: is not doubled by mremap", o->name);
		tap_ok(!touch(p, o->prot & PROT_WRITE), "%s: and is still there", o->name);
		munmap(p, o->bytes);
		p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ctx, o->offset);
		if (p != MAP_FAILED) {
			tap_ok(mprotect(p, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES,
			       "%s: a private view does not become writable", o->name);
			munmap(p, PAGE);
		}
	}
	tap_result(try_mmap(ctx, import_ro, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), -EACCES,
		   "a read-only import is not mapped for writing");
	{
		void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ctx, import_ro);

		must(p != MAP_FAILED);
		tap_ok(mprotect(p, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES,
		       "nor becomes writable later");
		tap_ok(touch(p, true) == SIGSEGV, "writing to it is SIGSEGV");
		munmap(p, PAGE);
	}
}

static bool holds(const uint8_t *p, uint64_t bytes, uint8_t what)
{
	for (uint64_t i = 0; i < bytes; i++)
		if (p[i] != what)
			return false;
	return true;
}

static void test_pieces(void)
{
	uint8_t *p, *q;

	memset(mem.ptr, 0x11, mem.bytes);
	p = mmap(NULL, mem.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, mem.offset);
	must(p != MAP_FAILED);
	tap_ok(holds(p, mem.bytes, 0x11), "two mappings of one memory show the same");
	must(!munmap(p + 3 * PAGE, PAGE));
	tap_ok(touch(p + 3 * PAGE, false) == SIGSEGV, "a page unmapped is gone");
	memset(p + 2 * PAGE, 0x22, PAGE);
	memset(p + 4 * PAGE, 0x33, PAGE);
	tap_ok(holds(mem.ptr + 2 * PAGE, PAGE, 0x22) && holds(mem.ptr + 3 * PAGE, PAGE, 0x11) &&
		       holds(mem.ptr + 4 * PAGE, PAGE, 0x33),
	       "its neighbours still are the same pages");
	must(!mprotect(p + PAGE, PAGE, PROT_READ));
	tap_ok(touch(p + PAGE, true) == SIGSEGV && !touch(p + 2 * PAGE, true),
	       "a page in the middle made read-only");
	q = mremap(p + 4 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 64 * PAGE);
	if (tap_ok(q != MAP_FAILED, "a part moved to another address")) {
		tap_ok(q[0] == 0x33 && !touch(q + PAGE, true) &&
			       touch(p + 4 * PAGE, false) == SIGSEGV,
		       "shows the same pages there");
		munmap(q, 2 * PAGE);
	}
	munmap(p, mem.bytes);
	munmap((uint8_t *)queue.ring + PAGE, PAGE);
	tap_ok(!touch((uint8_t *)queue.ring, true), "the ring header without the ring behind it");
	p = mmap((uint8_t *)queue.ring + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 ctx, queue.offset + PAGE);
	must(p != MAP_FAILED);
}

static void test_pinning(void)
{
	uint8_t local[64] = {};
	struct iovec to = { local, sizeof(local) }, from = { mem.ptr, sizeof(local) };

	tap_ok(process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0 && errno == EFAULT,
	       "nobody can pin HBM through its mapping");
}

static void test_fork(void)
{
	struct vn_desc nop = { .opcode = VN_OP_NOP };
	int status;
	pid_t pid;

	memset(mem.ptr, 0x44, mem.bytes);
	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		/* Mapped, shared, and the fd works too: the child is in the context. */
		if (!holds(mem.ptr, mem.bytes, 0x44))
			_exit(1);
		memset(mem.ptr, 0x55, PAGE);
		if (run(&queue, &nop) != VN_OK)
			_exit(2);
		munmap(mem.ptr, mem.bytes);
		munmap((void *)queue.ring, queue.bytes);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	tap_ok(WIFEXITED(status) && !WEXITSTATUS(status), "a child uses memory and queue (%x)",
	       status);
	tap_ok(holds(mem.ptr, PAGE, 0x55) && holds(mem.ptr + PAGE, PAGE, 0x44),
	       "what it wrote is here");
	tap_ok(run(&queue, &nop) == VN_OK, "and the queue goes on");
}

/* The end of an object under its mapping. */
static void test_ends(void)
{
	struct mem m = mem_alloc(ctx, 0, 4 * PAGE);
	struct queue q = queue_create(ctx, 0, 8, -1);
	uint64_t used = chip_query(ctx, 0).hbm_used;
	uint8_t *p;

	memset(m.ptr, 0x66, PAGE);
	must(!mem_free(ctx, 0, m.addr));
	tap_ok(holds(m.ptr, PAGE, 0x66) && !touch(m.ptr + 3 * PAGE, true),
	       "memory that was freed stays as long as it is mapped");
	tap_result(try_mmap(ctx, m.offset, PAGE, PROT_READ, MAP_SHARED), -EINVAL,
		   "but is not mapped anew");
	tap_ok(chip_query(ctx, 0).hbm_used == used, "it still counts");
	munmap(m.ptr, m.bytes);
	tap_ok(chip_query(ctx, 0).hbm_used == used - m.bytes, "until it is unmapped");

	must(!queue_call(ctx, VN_IOCTL_QUEUE_DESTROY, q.id));
	tap_ok(!touch((uint8_t *)q.ring, true) && !touch((uint8_t *)q.ring + PAGE, true),
	       "the ring of a queue that was destroyed, too");
	tap_result(try_mmap(ctx, q.offset, PAGE, PROT_READ, MAP_SHARED), -EINVAL,
		   "nor is that mapped anew");
	munmap((void *)q.ring, q.bytes);

	must(!status_destroy(ctx, status.offset));
	tap_ok(!touch((uint8_t *)status.entry, true), "a status page that was given back, too");
	tap_result(try_mmap(ctx, status.offset, PAGE, PROT_READ, MAP_SHARED), -EINVAL,
		   "nor is that mapped anew");
	munmap(status.entry, status.bytes);

	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ctx, import_ro);
	must(p != MAP_FAILED && !touch(p, false));
	{
		struct vn_window_release r = { .size = sizeof(r), .mmap_offset = import_ro };

		must(!call(ctx, VN_IOCTL_WINDOW_RELEASE, &r));
	}
	tap_ok(touch(p, false) == SIGBUS, "an import that was released raises SIGBUS");
	tap_result(try_mmap(ctx, import_ro, PAGE, PROT_READ, MAP_SHARED), -EINVAL,
		   "and is no more");
	munmap(p, PAGE);
}

/* The fd closed: the context ends, what it mapped stays until it is unmapped. */
static void test_close(void)
{
	int watch = open_context(), c;
	struct vn_chip_query was = chip_query(watch, 1);
	struct queue q;
	struct mem m;

	c = open_on(1);
	m = mem_alloc(c, 1, 2 * PAGE);
	window_create(c, &m, 0, PAGE, ACCESS_ALL);
	q = queue_create(c, 1, 8, -1);
	close(c);
	tap_ok(chip_query(watch, 1).queues == was.queues &&
		       chip_query(watch, 1).windows == was.windows,
	       "the context ends with its last fd, mapped or not");
	memset(m.ptr, 0x77, m.bytes);
	tap_ok(holds(m.ptr, m.bytes, 0x77) && !touch((uint8_t *)q.ring, true),
	       "its mappings stay what they are");
	tap_ok(chip_query(watch, 1).hbm_used == was.hbm_used + m.bytes, "and its memory counts");
	munmap((void *)q.ring, q.bytes);
	munmap(m.ptr, m.bytes);
	tap_ok(chip_query(watch, 1).hbm_used == was.hbm_used, "until it is unmapped");
	close(watch);
}

/* The context that made a window ends: who mapped it goes on, and it counts. */
static void test_maker_gone(void)
{
	int maker = open_on(1), user = open_on(1), dom = domain_export(maker);
	struct vn_chip_query was = chip_query(user, 1);
	struct mem m = mem_alloc(maker, 1, 2 * PAGE);
	uint32_t key = window_create(maker, &m, 0, m.bytes, ACCESS_ALL);
	struct vn_window_release r = { .size = sizeof(r) };
	uint8_t *p;

	must(!domain_join(user, dom));
	r.mmap_offset = window_import(user, 1, key, VN_ACCESS_REMOTE_READ);
	p = mmap(NULL, m.bytes, PROT_READ, MAP_SHARED, user, r.mmap_offset);
	must(p != MAP_FAILED);
	memset(m.ptr, 0x88, m.bytes);
	must(!touch(p, false));
	munmap(m.ptr, m.bytes);
	close(maker);
	tap_ok(holds(p, m.bytes, 0x88), "an import stays when the maker of its window ends");
	tap_ok(chip_query(user, 1).windows == was.windows &&
		       chip_query(user, 1).hbm_used == was.hbm_used + m.bytes,
	       "the window does not, the memory counts");
	tap_result(window_import(user, 1, key, VN_ACCESS_REMOTE_READ), -ESTALE,
		   "nobody else gets it");
	must(!call(user, VN_IOCTL_WINDOW_RELEASE, &r));
	munmap(p, m.bytes);
	tap_ok(chip_query(user, 1).hbm_used == was.hbm_used, "until the import is released");
	close(dom);
	close(user);
}

int main(void)
{
	uint32_t key;

	ctx = open_on(0);
	mem = mem_alloc(ctx, 0, PAGES * PAGE);
	queue = queue_create(ctx, 0, 8, -1);
	key = window_create(ctx, &mem, 0, mem.bytes, ACCESS_ALL);
	import_rw = window_import(ctx, 0, key, VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE);
	import_ro = window_import(ctx, 0, key, VN_ACCESS_REMOTE_READ);
	must(import_rw > 0 && import_ro > 0);
	objects[0] = (struct object){ "memory", mem.offset, mem.bytes, PROT_READ | PROT_WRITE };
	objects[1] = (struct object){ "queue", queue.offset, queue.bytes, PROT_READ | PROT_WRITE };
	objects[2] = (struct object){ "import", import_rw, mem.bytes, PROT_READ | PROT_WRITE };
	objects[3] = (struct object){ "read-only import", import_ro, mem.bytes, PROT_READ };
	status = status_create(ctx);
	objects[4] =
		(struct object){ "status", status.offset, status.bytes, PROT_READ | PROT_WRITE };
	test_offsets();
	test_rights();
	test_pieces();
	test_pinning();
	test_fork();
	test_ends();
	test_close();
	test_maker_gone();
	close(ctx);
	return tap_done();
}
