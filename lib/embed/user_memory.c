// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory of the process that windows lie on: it stays in memory, and counts for
 * RLIMIT_MEMLOCK. A page is unlocked when the last window over it is gone: how many there are
 * is counted, since the kernel does not.
 */
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "embed.h"

#define PAGE 4096ull

struct page_count {
	u64 page;
	u32 count;
};

/* Of the whole process, whatever devices it has. */
static pthread_mutex_t counts_lock = PTHREAD_MUTEX_INITIALIZER;
static void *counts;

static int compare(const void *a, const void *b)
{
	u64 x = ((const struct page_count *)a)->page, y = ((const struct page_count *)b)->page;

	return x < y ? -1 : x > y;
}

static struct page_count *find(u64 page)
{
	struct page_count key = { .page = page }, **at;

	at = tfind(&key, &counts, compare);
	return at ? *at : NULL;
}

static int count_page(u64 page)
{
	struct page_count *c = find(page);

	if (c) {
		c->count++;
		return 0;
	}
	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct page_count){ page, 1 };
	if (tsearch(c, &counts, compare))
		return 0;
	free(c);
	return -ENOMEM;
}

/* It is nobody's any more. */
static bool forget_page(u64 page)
{
	struct page_count *c = find(page);

	if (!c || --c->count)
		return false;
	tdelete(c, &counts, compare);
	free(c);
	return true;
}

/* Unlocks what nobody else has, in as few calls as can be; counted: these were. */
static void let_go(u8 *base, u64 pages, u64 counted)
{
	u64 first = (uintptr_t)base / PAGE, from = 0;

	for (u64 i = 0; i <= pages; i++) {
		bool free_now = i < pages &&
				(i < counted ? forget_page(first + i) : !find(first + i));

		if (free_now)
			continue;
		if (i > from)
			munlock(base + from * PAGE, (i - from) * PAGE);
		from = i + 1;
	}
}

/* Locked, and all of it writable: as if it were pinned to be written. */
static int lock_all(u8 *base, u64 bytes)
{
	if (mlock(base, bytes))
		/* Either the limit, or there is nothing: this tells. */
		return msync(base, bytes, MS_ASYNC) && errno == ENOMEM ? -EFAULT : -ENOMEM;
	return madvise(base, bytes, MADV_POPULATE_WRITE) ? -EFAULT : 0;
}

int embed_user_lock(u8 *base, u64 bytes)
{
	u64 first = (uintptr_t)base / PAGE, pages = bytes / PAGE, counted = 0;
	int err;

	pthread_mutex_lock(&counts_lock);
	err = lock_all(base, bytes);
	while (!err && counted < pages) {
		err = count_page(first + counted);
		counted += !err;
	}
	if (err)
		let_go(base, pages, counted);
	pthread_mutex_unlock(&counts_lock);
	return err;
}

void embed_user_unlock(u8 *base, u64 bytes)
{
	pthread_mutex_lock(&counts_lock);
	let_go(base, bytes / PAGE, bytes / PAGE);
	pthread_mutex_unlock(&counts_lock);
}
