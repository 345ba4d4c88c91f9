/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tests of vneuron/nccl.h share: calls that must work, and calls that must not. */
#ifndef VN_TEST_NCCL_CALLS_H
#define VN_TEST_NCCL_CALLS_H

#include <vneuron/nccl.h>

#include "fixture.h"

/* As such programs have it; threads report here. */
static unsigned int failures;
#define NCCL(call)                                                                                 \
	do {                                                                                       \
		ncclResult_t result = (call);                                                      \
		if (result != ncclSuccess) {                                                       \
			tap_diag("%s:%d: %s: %s", __FILE__, __LINE__, ncclGetErrorString(result),  \
				 ncclGetLastError(NULL));                                          \
			__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);                        \
		}                                                                                  \
	} while (0)
#define ACCEL(call)                                                                                \
	do {                                                                                       \
		int error = (call);                                                                \
		if (error) {                                                                       \
			tap_diag("%s:%d: %s: %s", __FILE__, __LINE__, vn_error_string(error),      \
				 vn_error());                                                      \
			__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);                        \
		}                                                                                  \
	} while (0)

static UNUSED unsigned int taken(void)
{
	return __atomic_exchange_n(&failures, 0, __ATOMIC_RELAXED);
}

/* The call returned that, and its text has this in it. */
static UNUSED void refused(ncclResult_t got, ncclResult_t want, const char *text, const char *what)
{
	const char *said = ncclGetLastError(NULL);

	if (!tap_ok(got == want && strstr(said, text), "%s: %s", what, said))
		tap_diag("%d, not %d; or not \"%s\"", got, want, text);
}

#define BAD(call, want, text) refused(call, want, text, #call)

#endif
