// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Two processes, the domain's fd passed over a unix socket: one maps the other's
 * window by its key. Both see what either writes, by CPU and by descriptor; the
 * mapping raises SIGBUS once the window is invalid; when its owner dies it stays.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include "abi/abi.h"
#include "fd.h"

#define BYTES (4u << 20)

static void say(int sock, uint32_t word)
{
	must(write(sock, &word, sizeof(word)) == sizeof(word));
}

static uint32_t hear(int sock)
{
	uint32_t word;

	must(read(sock, &word, sizeof(word)) == sizeof(word));
	return word;
}

/* The process that owns the memory. It does as it is told, a word at a time. */
static __attribute__((noreturn)) void owner(int sock)
{
	int ctx = open_on(5);
	struct mem m = mem_alloc(ctx, 5, BYTES);
	uint32_t key[2];

	key[0] = window_create(ctx, &m, 0, BYTES / 2, ACCESS_ALL);
	key[1] = window_create(ctx, &m, BYTES / 2, BYTES / 2, ACCESS_ALL);
	memset(m.ptr, 0x11, BYTES);
	must(fd_send(sock, domain_export(ctx)));
	say(sock, key[0]);
	say(sock, key[1]);
	for (;;) {
		switch (hear(sock)) {
		case 1: /* what is at byte 100? */
			say(sock, m.ptr[100]);
			break;
		case 2: /* write it */
			m.ptr[100] = 0x33;
			say(sock, 0);
			break;
		case 3: /* end the first window */
			say(sock, window_invalidate(ctx, 5, key[0]));
			break;
		}
	}
}

static uint32_t ask(int sock, uint32_t word)
{
	say(sock, word);
	return hear(sock);
}

int main(void)
{
	uint32_t key[2], chip = 5;
	int socks[2], sock, ctx, dom, status;
	struct vn_chip_query was;
	struct vn_window_release release = { .size = sizeof(release) };
	uint8_t *map[2];
	int64_t off[2];
	struct vn_desc d;
	struct mem own;
	struct queue q;
	pid_t pid;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, socks));
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		close(socks[0]);
		owner(socks[1]);
	}
	close(socks[1]);
	sock = socks[0];
	ctx = open_on(6);
	dom = fd_recv(sock);
	must(dom >= 0);
	key[0] = hear(sock);
	key[1] = hear(sock);
	tap_ok(window_import(ctx, chip, key[0], VN_ACCESS_REMOTE_READ) == -ENOENT,
	       "without the domain the key is none");
	tap_ok(domain_join(ctx, dom) == 0, "joined by an fd from another process");
	close(dom);
	for (uint32_t i = 0; i < 2; i++) {
		off[i] = window_import(ctx, chip, key[i],
				       VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE);
		must(off[i] > 0);
		map[i] = mmap(NULL, BYTES / 2, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, off[i]);
		must(map[i] != MAP_FAILED);
	}
	tap_ok(map[0][0] == 0x11 && map[1][BYTES / 2 - 1] == 0x11,
	       "mapped, without a right to its chip");
	map[0][100] = 0x22;
	tap_ok(ask(sock, 1) == 0x22, "the owner sees what is written here");
	must(!ask(sock, 2));
	tap_ok(*(volatile uint8_t *)&map[0][100] == 0x33, "and what the owner writes is seen here");

	own = mem_alloc(ctx, 6, PAGE);
	q = queue_create(ctx, 6, 8, -1);
	memset(own.ptr, 0x44, PAGE);
	d = copy_desc((struct vn_operand){ VN_HERE, chip, key[0], 0 }, at(&own, 0), PAGE);
	tap_ok(run(&q, &d) == VN_OK && map[0][100] == 0x44 && ask(sock, 1) == 0x44,
	       "as both see what a descriptor writes by key");

	must(!ask(sock, 3));
	tap_ok(touch(map[0], false) == SIGBUS && touch(map[0] + BYTES / 2 - 1, true) == SIGBUS,
	       "after invalidation the mapping raises SIGBUS");
	tap_ok(!touch(map[1], true), "another window's does not");
	tap_ok(run(&q, &d) == VN_STALE_KEY, "and a descriptor finds the key stale");
	must(!queue_reset(&q));

	was = chip_query(ctx, chip);
	must(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid);
	for (uint32_t i = 0; i < 200 && chip_query(ctx, chip).windows == was.windows; i++)
		usleep(10000);
	tap_ok(!touch(map[1], false) && !touch(map[1] + 100 * PAGE, true),
	       "when the owner is killed the mapping stays");
	tap_ok(chip_query(ctx, chip).hbm_used == was.hbm_used &&
		       chip_query(ctx, chip).windows == was.windows - 1,
	       "its memory counts, its window is gone");
	release.mmap_offset = off[1];
	must(!call(ctx, VN_IOCTL_WINDOW_RELEASE, &release) && !munmap(map[1], BYTES / 2));
	tap_ok(chip_query(ctx, chip).hbm_used == was.hbm_used - BYTES,
	       "until the import is released");
	d.copy.dst.key = key[1];
	tap_ok(run(&q, &d) == VN_STALE_KEY, "its keys are stale");
	must(!queue_reset(&q));
	d = (struct vn_desc){ .opcode = VN_OP_NOP };
	tap_ok(run(&q, &d) == VN_OK, "this context goes on");
	return tap_done();
}
