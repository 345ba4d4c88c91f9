// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ranks that are processes: persistent operations, operations as records with their
 * status, factors of a sum, queues as streams, two communicators at once.
 */
#include "sums.h"

#define ROOM (256u << 10)

/* Three prepared ones take turns, with new data; another is prepared when one has gone. */
static unsigned int persistent(struct band *b)
{
	static const size_t counts[] = { 5, 3000, 40000, 800 };
	vn_persistent_t p[COUNT(counts)] = { NULL };
	unsigned int wrong = 0;
	enum vn_way way;
	int err = 0;

	own_begin(b, ROOM);
	for (uint32_t k = 0; k < COUNT(counts) && !err; k++) {
		bool host = k == 3;
		struct vn_op op = sum_record(own_at(0, host), own_at(1, host), counts[k]);

		/* What is in HBM may be a plan, and is if it must. */
		op.way = k % 2 ? VN_WAY_AUTO : VN_WAY_PLAN;
		err = vn_op_init(&op, b->comm, &p[k]) ?: vn_op_way(p[k], &way);
		wrong += !err && ((way == VN_WAY_PLAN && host) ||
				  (way != VN_WAY_PLAN && op.way == VN_WAY_PLAN));
	}
	for (int32_t i = 0; i < 30 && !err; i++) {
		int32_t k = i % (int32_t)COUNT(counts);

		fill(b, (int32_t *)own_at(0, k == 3), counts[k], i);
		err = vn_op_launch(p[k], NULL, NULL) ?: vn_comm_sync(b->comm, LONG);
		wrong += sum_wrong(b, (int32_t *)own_at(1, k == 3), counts[k], i);
	}
	err = err ?: vn_op_free(p[1]);
	if (!err) {
		struct vn_op op = sum_record(own_at(0, false), own_at(1, false), 77);

		fill(b, (int32_t *)own_at(0, false), 77, 5);
		err = vn_op_init(&op, b->comm, &p[1]) ?: vn_op_launch(p[1], NULL, NULL);
		err = err ?: vn_comm_sync(b->comm, LONG);
		wrong += sum_wrong(b, (int32_t *)own_at(1, false), 77, 5);
	}
	/* Some are freed, the others go with the communicator. */
	err = err ?: vn_op_free(p[0]);
	wrong += band_bad(b, err, "persistent");
	own_end(b);
	return wrong;
}

static unsigned int records(struct band *b)
{
	uint64_t seq[10], last = 0;
	unsigned int wrong = 0;
	int err = 0, status;

	own_begin(b, ROOM);
	fill(b, (int32_t *)own_at(0, false), 4000, 9);
	for (uint32_t i = 0; i < COUNT(seq) && !err; i++) {
		struct vn_op op = sum_record(own_at(0, false), own_at(1, false) + 16000 * i, 4000);

		op.way = i % 2 ? VN_WAY_SHARE : VN_WAY_AUTO;
		/* Nobody can be done before the last rank has begun. */
		if (b->rank == b->ranks - 1 && !i)
			while (!__atomic_load_n(&b->notes[0], __ATOMIC_ACQUIRE))
				sleep_ms(1);
		err = vn_op_start(&op, b->comm, NULL, &seq[i]);
		wrong += i && seq[i] != last + 1;
		last = seq[i];
		if (!b->rank && !i) {
			wrong += vn_op_status(b->comm, seq[0]) != -EINPROGRESS;
			__atomic_store_n(&b->notes[0], 1, __ATOMIC_RELEASE);
		}
	}
	for (uint32_t i = 0; i < COUNT(seq) && !err; i++) {
		do
			status = vn_op_status(b->comm, seq[i]);
		while (status == -EINPROGRESS);
		err = status;
		wrong += sum_wrong(b, (int32_t *)(own_at(1, false) + 16000 * i), 4000, 9);
	}
	wrong += band_bad(b, err, "records");
	own_end(b);
	return wrong;
}

/* Each rank's factor is its number + 2, then + 3; one is read when the operation begins. */
static unsigned int factors(struct band *b)
{
	float factor = (float)b->rank + 2, *x, *y, want;
	enum vn_scalar_residence where = b->rank % 2 ? VN_SCALAR_DEVICE : VN_SCALAR_HOST_IMMEDIATE;
	unsigned int wrong = 0;
	enum vn_redop op;
	int err = 0;

	own_begin(b, ROOM);
	for (int i = 0; i < 8 && !err; i++) {
		size_t n = i / 4 ? 20000 : 10;

		x = (float *)own_at(0, i % 2);
		y = (float *)own_at(1, i / 2 % 2);
		for (size_t k = 0; k < n; k++)
			x[k] = (float)(k % 100);
		err = vn_red_op_create_pre_mul_sum(&op, &factor, VN_FLOAT32, where, b->comm);
		if (where == VN_SCALAR_DEVICE)
			factor += 1;
		err = err ?: vn_all_reduce(x, y, n, VN_FLOAT32, op, b->comm, NULL);
		err = err ?: vn_red_op_destroy(op, b->comm) ?: vn_comm_sync(b->comm, LONG);
		if (where == VN_SCALAR_DEVICE)
			factor -= 1;
		want = 0;
		for (int r = 0; r < b->ranks; r++)
			want += (float)(r + 2 + r % 2);
		for (size_t k = 0; k < n; k++)
			wrong += y[k] != want * (float)(k % 100);
	}
	wrong += band_bad(b, err, "factors");
	own_end(b);
	return wrong;
}

/* What is summed comes by a descriptor, and another one takes the sum away. */
static unsigned int streams(struct band *b)
{
	struct vn_mem *send = &own.hbm[0], *recv = &own.hbm[1];
	unsigned int wrong = 0;
	vn_queue_t q;
	int err = 0;

	own_begin(b, ROOM);
	q = queue(b->dev, (uint32_t)b->rank, 16);
	for (int32_t i = 0; i < 10 && !err; i++) {
		size_t n = i % 2 ? 20 : 20000;

		memset(send->ptr, 0xee, ROOM / 2);
		fill(b, (int32_t *)((char *)send->ptr + ROOM / 2), n, i);
		vn_prep_copy(vn_next(q), vn_at(send, 0), vn_at(send, ROOM / 2), 4 * n);
		err = vn_all_reduce(send->ptr, recv->ptr, n, VN_INT32, VN_SUM, b->comm, q);
		if (!err)
			vn_prep_copy(vn_next(q), vn_at(recv, ROOM / 2), vn_at(recv, 0), 4 * n);
		err = err ?: vn_queue_sync(q, LONG);
		wrong += sum_wrong(b, (int32_t *)((char *)recv->ptr + ROOM / 2), n, i);
		while (vn_reap(q, &(struct vn_cqe){ 0 }, 1) == 1)
			;
	}
	wrong += band_bad(b, err, "streams");
	vn_queue_destroy(q);
	own_end(b);
	return wrong;
}

static unsigned int two(struct band *b)
{
	vn_unique_id id = tell_id(b);
	vn_comm_t other = reversed(b, &id);
	unsigned int wrong = 0;
	int32_t *x, *y, *z;
	int err = 0, rank;

	own_begin(b, ROOM);
	x = own.hbm[0].ptr;
	y = own.hbm[1].ptr;
	z = (int32_t *)own.host[1];
	err = vn_comm_user_rank(other, &rank);
	wrong += rank != b->ranks - 1 - b->rank;
	for (int32_t i = 0; i < 20 && !err; i++) {
		size_t n = i % 3 ? 10 : 9000;

		fill(b, x, n, i);
		/* Both under way, some begin with the one, some with the other. */
		for (int k = 0; k < 2; k++)
			err = err
				      ?: ((b->rank + k) % 2
						  ? vn_all_reduce(x, y, n, VN_INT32, VN_SUM,
								  b->comm, NULL)
						  : vn_all_gather(x, z, n, VN_INT32, other, NULL));
		err = err ?: vn_comm_sync(b->comm, LONG) ?: vn_comm_sync(other, LONG);
		wrong += sum_wrong(b, y, n, i);
		for (size_t k = 0; k < n * (size_t)b->ranks; k++)
			wrong += z[k] != (int32_t)(k % n) * 3 + b->ranks - 1 - (int32_t)(k / n) + i;
	}
	/* The first one goes first, the other one goes on. */
	wrong += band_bad(b, err ?: vn_comm_destroy(b->comm), "two communicators");
	b->comm = other;
	fill(b, x, 6000, 3);
	err = vn_all_reduce(x, y, 6000, VN_INT32, VN_SUM, other, NULL) ?: vn_comm_sync(other, LONG);
	wrong += band_bad(b, err, "the other one") + sum_wrong(b, y, 6000, 3);
	own_end(b);
	return wrong;
}

int main(void)
{
	band_point(3, persistent, "persistent operations");
	band_point(3, records, "records and their status");
	band_point(4, factors, "factors of a sum");
	band_point(3, streams, "queues as streams");
	band_point(3, two, "two communicators at once");
	return tap_done();
}
