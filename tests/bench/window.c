// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writing and reading by key, between chips, memory that another context owns: one
 * transfer at a time, always the same, and 32 of them, side by side, in one submission.
 *
 * Beside it, in turns, each over memory of its own, as big: a copy by the processor, plain
 * or around the caches, whichever is faster; and process_vm_writev() or process_vm_readv() to
 * another process, one call for as many pieces.
 *
 * Then a write of 64 bytes: from the submission to where another core sees it, and half of
 * the time in which it is answered by another; the same by windows that both have mapped,
 * which is how libraries send so little; beside the time in which a cache line goes there
 * and back between the same cores.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <vneuron.h>

#include "bench.h"

#define BATCH 32u
#define DEPTH 64u
/* What the slices of a transfer come to at most. */
#define SPAN_BYTES (64ull << 20)
/* A turn takes about so long; turns of each. */
#define TURN_US 1500.0
#define TURNS 24u
#define LATENCIES 20000u

static uint64_t sizes[16] = { 64,     1024,	4096,	  16384,     65536,
			      262144, 1u << 20, 4u << 20, 16u << 20, 64u << 20 };

#define CHECK(call)                                                                                \
	do {                                                                                       \
		if (call)                                                                          \
			die("%s", vn_error());                                                     \
	} while (0)

static vn_device_t dev, other;
static vn_queue_t queue, answers; /* on chips 0 and 1 */
static struct vn_mem mine, theirs;
static uint32_t key, my_key;
static struct vn_import to_them, to_me;
/* Of the process, as big: of copies plain and around the caches, and of process_vm. */
static struct ends {
	char *from, *to;
} copied[2];
static char *near_vm;
static char *far; /* in the other process */
static pid_t peer;
static FILE *json;

enum who { OURS, COPY, STREAM, VM, WHO };

/* A transfer: `pieces` of `bytes`, each time at the next slices. */
struct transfer {
	uint64_t bytes;
	uint32_t pieces, slices;
	bool write;
	uint32_t at;
};

static uint64_t next_slice(struct transfer *t)
{
	uint64_t at = t->at * t->bytes;

	t->at = (t->at + 1) % t->slices;
	return at;
}

static void run_ours(struct transfer *t)
{
	struct vn_cqe cqe[BATCH];

	for (uint32_t i = 0; i < t->pieces; i++) {
		uint64_t at = next_slice(t);
		struct vn_operand near = vn_at(&mine, at), by_key = vn_by_key(theirs.chip, key, at);
		struct vn_desc *d = vn_next(queue);

		if (!d)
			die("no room for a descriptor");
		if (t->write)
			vn_prep_copy(d, by_key, near, t->bytes);
		else
			vn_prep_copy(d, near, by_key, t->bytes);
	}
	if (vn_wait(queue, t->pieces, VN_FOREVER) ||
	    vn_reap(queue, cqe, t->pieces) != (int)t->pieces)
		die("%s", vn_error());
	for (uint32_t i = 0; i < t->pieces; i++)
		if (cqe[i].status || cqe[i].bytes != t->bytes)
			die("a transfer: %s", vn_status_text(cqe[i].status));
}

static void copy_around(char *dst, const char *src, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 64)
		asm volatile("vmovdqu %1, %%ymm0\n\t"
			     "vmovdqu 32%1, %%ymm1\n\t"
			     "vmovntdq %%ymm0, %0\n\t"
			     "vmovntdq %%ymm1, 32%0"
			     : "=o"(dst[at])
			     : "o"(src[at])
			     : "xmm0", "xmm1", "memory");
	asm volatile("sfence\n\tvzeroupper" : : : "memory");
}

static void run_copy(struct transfer *t, bool stream)
{
	const struct ends *c = &copied[stream];

	for (uint32_t i = 0; i < t->pieces; i++) {
		uint64_t at = next_slice(t);
		char *dst = (t->write ? c->to : c->from) + at;
		char *src = (t->write ? c->from : c->to) + at;

		if (stream)
			copy_around(dst, src, t->bytes);
		else
			memcpy(dst, src, t->bytes);
		/* It happens, although nobody looks. */
		asm volatile("" : : "r"(dst) : "memory");
	}
}

static void run_vm(struct transfer *t)
{
	struct iovec near[BATCH], there[BATCH];
	uint64_t all = t->pieces * t->bytes;
	ssize_t n;

	for (uint32_t i = 0; i < t->pieces; i++) {
		uint64_t at = next_slice(t);

		near[i] = (struct iovec){ near_vm + at, t->bytes };
		there[i] = (struct iovec){ far + at, t->bytes };
	}
	n = t->write ? process_vm_writev(peer, near, t->pieces, there, t->pieces, 0)
		     : process_vm_readv(peer, near, t->pieces, there, t->pieces, 0);
	if (n != (ssize_t)all)
		die("process_vm_%s: %zd of %llu bytes: %s", t->write ? "writev" : "readv", n,
		    (unsigned long long)all, strerror(errno));
}

static void run(enum who who, struct transfer *t)
{
	if (who == OURS)
		run_ours(t);
	else if (who == VM)
		run_vm(t);
	else
		run_copy(t, who == STREAM);
}

/*
 * One turn: as often as it takes, or as often as said; time of one, us. One before is not
 * counted: it finds in the caches what another one's turn left there.
 */
static double turn(enum who who, struct transfer *t, uint32_t *times)
{
	double began, took;
	uint32_t n = 0;

	run(who, t);
	began = now_us();
	do {
		run(who, t);
		n++;
		took = now_us() - began;
	} while (*times ? n < *times : took < TURN_US);
	*times = n;
	return took / n;
}

/* Both ends of what we move hold the same afterwards, and what was there before. */
static void look(struct transfer *t)
{
	uint64_t n = t->slices * t->bytes;
	char *src = t->write ? mine.ptr : theirs.ptr, *dst = t->write ? theirs.ptr : mine.ptr;

	for (uint64_t i = 0; i < n; i += 64)
		src[i] = (char)(i / 64 * 7 + t->bytes + t->write);
	for (uint32_t i = 0; i < t->slices; i++)
		memset(dst + i * t->bytes, 0, t->bytes);
	for (uint32_t i = 0; i < t->slices; i += t->pieces)
		run_ours(t);
	if (memcmp(dst, src, n))
		die("%llu bytes: not what was sent", (unsigned long long)t->bytes);
}

static void show(struct transfer *t, struct series s[WHO])
{
	double all = (double)t->bytes * t->pieces / 1e3, ours = series_at(&s[OURS], 50);
	double copy = series_at(&s[COPY], 50), stream = series_at(&s[STREAM], 50);
	double vm = series_at(&s[VM], 50);
	const char *op = t->write ? "write" : "read";
	char text[32];

	if (stream < copy)
		copy = stream;
	printf("%-6s %8s %5u | %9.2f %9.2f %8.2f | %9.2f %7.2f | %9.2f %7.2f\n", op,
	       size_text(t->bytes, text), t->pieces, ours, series_at(&s[OURS], 99), all / ours,
	       all / copy, copy / ours, all / vm, vm / ours);
	if (!json)
		return;
	json_row(json, op, 2, t->bytes * t->pieces, "int8", 1, "none", &s[OURS]);
	fprintf(json, ", \"pieces\": %u, \"copy_gbps\": %.3f, \"of_copy\": %.3f", t->pieces,
		all / copy, copy / ours);
	fprintf(json, ", \"process_vm_gbps\": %.3f, \"process_vm_ratio\": %.3f, \"wrong\": 0",
		all / vm, vm / ours);
	json_end(json);
}

/*
 * Who comes after whom: everybody after each of the others equally often. Each has memory of
 * its own, and finds in the caches what the one before has left of it.
 */
static const enum who order[WHO][WHO] = {
	{ OURS, COPY, VM, STREAM },
	{ COPY, STREAM, OURS, VM },
	{ STREAM, VM, COPY, OURS },
	{ VM, OURS, STREAM, COPY },
};

static void bench_transfer(struct transfer *t)
{
	uint32_t times[WHO] = { 0 };
	struct series s[WHO] = { 0 };

	look(t);
	for (uint32_t j = 0; j <= TURNS; j++)
		for (uint32_t k = 0; k < WHO; k++) {
			enum who who = order[j % WHO][k];
			double us = turn(who, t, &times[who]);

			/* The first one warms up, and says how often. */
			if (j)
				series_add(&s[who], us);
		}
	show(t, s);
	for (uint32_t who = 0; who < WHO; who++)
		series_free(&s[who]);
}

static void bench_transfers(void)
{
	printf("%-6s %8s %5s | %9s %9s %8s | %9s %7s | %9s %7s\n", "op", "bytes", "batch",
	       "ours us", "p99", "GB/s", "copy GB/s", "ratio", "vm GB/s", "ratio");
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t j = 0; j < ARRAY_SIZE(sizes) && sizes[j]; j++) {
			struct transfer t = { .bytes = sizes[j], .write = i < 2 };

			t.pieces = t.slices = i % 2 ? BATCH : 1;
			if (t.bytes * t.pieces <= SPAN_BYTES)
				bench_transfer(&t);
		}
}

/* ---- until somebody sees it -------------------------------------------------------------- */

static struct {
	uint64_t go __attribute__((aligned(64)));
	uint64_t seen __attribute__((aligned(64)));
	uint64_t ping __attribute__((aligned(64)));
	uint64_t pong __attribute__((aligned(64)));
} line;

static uint64_t ticks(void)
{
	uint32_t low, high;

	asm volatile("rdtscp" : "=a"(low), "=d"(high) : : "rcx", "memory");
	return (uint64_t)high << 32 | low;
}

static void await(const uint64_t *word, uint64_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		__builtin_ia32_pause();
}

/* 64 bytes, the last of them at last. */
static void store(uint64_t *at, uint64_t value)
{
	for (uint32_t i = 0; i < 7; i++)
		__atomic_store_n(at + i, value, __ATOMIC_RELAXED);
	__atomic_store_n(at + 7, value, __ATOMIC_RELEASE);
}

/* The other core: says when it sees a write, answers one, throws a line back. */
static void *watch(void *arg)
{
	const struct crew *crew = arg;
	uint64_t *word = (uint64_t *)theirs.ptr + 7;
	struct vn_cqe cqe;

	pin(crew->cpu[1]);
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		await(word, i);
		__atomic_store_n(&line.seen, ticks(), __ATOMIC_RELEASE);
	}
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		await(word, LATENCIES + i);
		vn_prep_copy(vn_next(answers), vn_by_key(mine.chip, my_key, 64), vn_at(&theirs, 0),
			     64);
		if (vn_wait(answers, 1, VN_FOREVER) || vn_reap(answers, &cqe, 1) != 1 || cqe.status)
			die("an answer: %s", vn_error());
	}
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		await(word + 8, i);
		store((uint64_t *)to_me.ptr + 16, i);
	}
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		await(&line.ping, i);
		__atomic_store_n(&line.pong, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void send(uint64_t value)
{
	static struct transfer t = { .bytes = 64, .pieces = 1, .slices = 1, .write = true };

	for (uint32_t j = 0; j < 8; j++)
		((uint64_t *)mine.ptr)[j] = value;
	run_ours(&t);
}

static void show_latency(const char *what, const char *op, struct series *s)
{
	printf("%-40s %9.3f %9.3f %9.3f\n", what, series_at(s, 0), series_at(s, 50),
	       series_at(s, 99));
	if (json) {
		json_row(json, op, 2, 64, "int8", 1, "none", s);
		fprintf(json, ", \"wrong\": 0");
		json_end(json);
	}
	series_free(s);
}

/* Ticks in a microsecond. */
static double tick_rate(void)
{
	double us = now_us();
	uint64_t began = ticks();

	usleep(50000);
	return (double)(ticks() - began) / (now_us() - us);
}

static void bench_latency(const struct crew *crew)
{
	struct series visible = { 0 }, whole = { 0 }, half = { 0 }, mapped = { 0 }, trip = { 0 };
	uint64_t began, seen, ended, last = 0;
	double rate = tick_rate();
	pthread_t thread;

	if (crew->count < 2) {
		printf("\none core: nobody to see a write at once\n");
		return;
	}
	memset(theirs.ptr, 0, 128);
	if (pthread_create(&thread, NULL, watch, (void *)crew))
		die("can't start a thread");
	pin(crew->cpu[0]);
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		began = ticks();
		send(i);
		ended = ticks();
		while ((seen = __atomic_load_n(&line.seen, __ATOMIC_ACQUIRE)) == last)
			__builtin_ia32_pause();
		last = seen;
		series_add(&visible, (double)(seen - began) / rate);
		series_add(&whole, (double)(ended - began) / rate);
	}
	for (uint64_t i = LATENCIES + 1; i <= 2 * LATENCIES; i++) {
		began = ticks();
		send(i);
		await((uint64_t *)mine.ptr + 8 + 7, i);
		series_add(&half, (double)(ticks() - began) / rate / 2);
	}
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		began = ticks();
		store((uint64_t *)to_them.ptr + 8, i);
		await((uint64_t *)mine.ptr + 16 + 7, i);
		series_add(&mapped, (double)(ticks() - began) / rate / 2);
	}
	for (uint64_t i = 1; i <= LATENCIES; i++) {
		began = ticks();
		__atomic_store_n(&line.ping, i, __ATOMIC_RELEASE);
		await(&line.pong, i);
		series_add(&trip, (double)(ticks() - began) / rate);
	}
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(crew->all), &crew->all);
	printf("\n%-40s %9s %9s %9s\n", "64 bytes, us", "min", "p50", "p99");
	show_latency("submitted, to visible to another core", "write_visible", &visible);
	show_latency("submitted, to its completion read", "write_complete", &whole);
	show_latency("half of a write and its answer", "write_latency", &half);
	show_latency("half of that, by mapped windows", "mapped_latency", &mapped);
	show_latency("a cache line there and back", "line_trip", &trip);
}

/* ---- who takes part ---------------------------------------------------------------------- */

static char *pages(uint64_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for %llu bytes", (unsigned long long)bytes);
	/* As HBM is, where the host has huge pages. */
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 1, bytes);
	return p;
}

/* A process that has memory, and waits to be killed. */
static void start_peer(void)
{
	int pipes[2];

	if (pipe(pipes))
		die("can't make a pipe");
	peer = fork();
	if (peer < 0)
		die("can't fork");
	if (!peer) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		far = pages(SPAN_BYTES);
		if (write(pipes[1], &far, sizeof(far)) != sizeof(far))
			_exit(1);
		for (;;)
			pause();
	}
	if (read(pipes[0], &far, sizeof(far)) != sizeof(far))
		die("the other process has no memory");
	close(pipes[0]);
	close(pipes[1]);
}

/* Two contexts of one domain, each with memory that the other has a key to. */
static void open_device(const char *spec)
{
	uint32_t allowed = VN_ACCESS_LOCAL_WRITE | VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE;
	int fd;

	CHECK(vn_open(spec, &dev) || vn_reopen(dev, &other));
	fd = vn_domain_export(dev);
	if (fd < 0 || vn_domain_join(other, fd))
		die("%s", vn_error());
	close(fd);
	CHECK(vn_mem_alloc(dev, 0, SPAN_BYTES, &mine));
	CHECK(vn_mem_alloc(other, 1, SPAN_BYTES, &theirs));
	memset(mine.ptr, 1, SPAN_BYTES);
	memset(theirs.ptr, 1, SPAN_BYTES);
	CHECK(vn_window_create(other, &theirs, 0, SPAN_BYTES, allowed, &key));
	CHECK(vn_window_create(dev, &mine, 0, SPAN_BYTES, allowed, &my_key));
	allowed = VN_ACCESS_REMOTE_READ | VN_ACCESS_REMOTE_WRITE;
	CHECK(vn_window_map(dev, theirs.chip, key, allowed, &to_them));
	CHECK(vn_window_map(other, mine.chip, my_key, allowed, &to_me));
	CHECK(vn_queue_create(dev, 0, DEPTH, -1, &queue));
	CHECK(vn_queue_create(other, 1, DEPTH, -1, &answers));
}

/* Instead of those that are there; whole lines, not more than what is moved at most. */
static bool take_sizes(char *text)
{
	uint32_t n = 0;

	memset(sizes, 0, sizeof(sizes));
	do {
		sizes[n] = strtoull(text, &text, 10);
		if (!sizes[n] || sizes[n] % 64 || sizes[n] > SPAN_BYTES)
			return false;
	} while (++n < ARRAY_SIZE(sizes) && *text++ == ',');
	return !text[-1] || !*text;
}

int main(int argc, char **argv)
{
	const char *spec = getenv("VNEURON_DEVICE");
	struct crew crew;
	int c;

	while ((c = getopt(argc, argv, "d:o:s:")) >= 0) {
		if (c == 'd') {
			spec = optarg;
		} else if (c == 'o') {
			json = json_open(optarg);
		} else if (c != 's' || !take_sizes(optarg)) {
			fprintf(stderr,
				"usage: window [-d DEVICE] [-o JSON_FILE] [-s BYTES,...]\n");
			return 2;
		}
	}
	/* Before there are threads. */
	start_peer();
	for (c = 0; c < 2; c++)
		copied[c] = (struct ends){ pages(SPAN_BYTES), pages(SPAN_BYTES) };
	near_vm = pages(SPAN_BYTES);
	open_device(spec);
	bench_transfers();
	crew_start(&crew);
	bench_latency(&crew);
	crew_stop(&crew);
	vn_close(other);
	vn_close(dev);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	return 0;
}
