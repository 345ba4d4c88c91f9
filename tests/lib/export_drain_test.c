// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory is exported, written to and let go again and again while its sled is drained, at any
 * moment of that, in the pause too: what is seen through an export is what its owner sees, and
 * no byte is lost. Where nothing is exported in the middle of a drain it is refused.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "faults.h"
#include "home.h"

#define CHIP 0u
#define MEM_BYTES (1u << 20)
#define PAGE 4096u

static struct vn_mem m;
static bool stop; /* atomic */
static uint64_t exports, refused, wrong; /* the exporter's */
static uint32_t tries; /* atomic: both */
static uint32_t within; /* atomic: of these, since the last drain began */

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

/* One number more through an export of it all; the first word of each page is the exporter's. */
static void write_through(int fd, uint64_t number)
{
	uint64_t *p = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	NEED(p == MAP_FAILED ? -errno : 0);
	for (uint32_t at = 0; at < MEM_BYTES / 8; at += PAGE / 8) {
		wrong += p[at] != number - 1;
		p[at] = number;
	}
	munmap(p, MEM_BYTES);
}

static void *export_on(void *arg)
{
	uint32_t longer;

	(void)arg;
	while (!stopped()) {
		int fd = vn_mem_export(dev, &m, 0, MEM_BYTES, VN_EXPORT_WRITE);

		__atomic_fetch_add(&tries, 1, __ATOMIC_RELAXED);
		longer = 1 + __atomic_fetch_add(&within, 1, __ATOMIC_RELAXED);
		if (fd < 0) {
			wrong += fd != -EBUSY || in_kernel(dev);
			refused++;
		} else {
			write_through(fd, ++exports);
			close(fd);
			wrong += ((uint64_t *)m.ptr)[0] != exports;
		}
		/* Longer and longer without one, so that a drain can end however slow it is. */
		sleep_ms(1 + (int)(rnd() % (60 * longer)));
	}
	return NULL;
}

static uint64_t last; /* what all other words are */

static void write_others(void)
{
	uint64_t *word = m.ptr;

	last++;
	vn_mem_begin(dev, word, MEM_BYTES);
	for (uint32_t at = 0; at < MEM_BYTES / 8; at++)
		if (at % (PAGE / 8))
			word[at] = last;
	vn_mem_end(dev);
}

static uint32_t others_lost(void)
{
	const uint64_t *word = m.ptr;
	uint32_t bad = 0;

	for (uint32_t at = 0; at < MEM_BYTES / 8; at++)
		bad += at % (PAGE / 8) && word[at] != last;
	return bad;
}

/* While it is copied, so that there is something left for the pause. */
static int on_step(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == VN_SLED_PRECOPY && r->last.rounds < 3)
		write_others();
	return 0;
}

int main(void)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t rounds = quick() ? 20 : 40, drains = 0, busy = 0, lost = 0;
	pthread_t exporter;

	open_machine();
	m = take(dev, CHIP, MEM_BYTES);
	memset(m.ptr, 0, MEM_BYTES);
	c.budget_ns = SECOND;
	c.progress = on_step;
	pthread_create(&exporter, NULL, export_on, NULL);
	for (; drains < rounds || __atomic_load_n(&tries, __ATOMIC_RELAXED) < rounds; drains++) {
		uint32_t sled = sled_of(CHIP);
		int err;

		write_others();
		__atomic_store_n(&within, 0, __ATOMIC_RELAXED);
		err = vn_sled_drain(dev, sled, &c, NULL);
		busy += err == -EBUSY;
		if (err != -EBUSY)
			NEED(err ?: vn_sled_undrain(dev, sled, NULL, NULL));
		lost += others_lost();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(exporter, NULL);
	tap_ok(!wrong && !lost,
	       "%u drains, %u kept from it: %llu exports, %llu refused, %llu wrong, %u words lost",
	       drains, busy, (unsigned long long)exports, (unsigned long long)refused,
	       (unsigned long long)wrong, lost);
	tap_ok(busy < drains, "drains end between two exports");
	NEED(vn_mem_free(dev, &m));
	vn_close(dev);
	return tap_done();
}
