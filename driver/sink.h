#pragma once

/*
 * Where a tar goes: to a descriptor or a callback, compressed or not, and through a
 * digest where one is asked for. The bodies of files go from file to file, or into a
 * pipe, inside the kernel where nobody has to see them.
 */

#include <ovl2.h>

#include <stdint.h>

struct ovi_sink;

/* `options` is borrowed. Release with ovi_sink_free(). */
int ovi_sink_new(const struct ovl2_diff_options *options, int fd, struct ovi_sink **ret_sink,
                 struct ovl2_error *err);

/* What was not finished is dropped. NULL is fine. */
void ovi_sink_free(struct ovi_sink *sink);

int ovi_sink_write(struct ovi_sink *sink, const char *bytes, size_t length, struct ovl2_error *err);

/*
 * `size` bytes of the file `fd`, open at its start.
 *
 * Errors: OVL2_E_BUSY when there are not so many.
 */
int ovi_sink_copy(struct ovi_sink *sink, int fd, uint64_t size, struct ovl2_error *err);

/* For an ovi_asker whose data is the sink: tells the caller how far it is. */
int ovi_sink_ask(void *data, struct ovl2_error *err);

/* Counts one more for the caller's progress. */
void ovi_sink_count(struct ovi_sink *sink);

/* Writes out what is left, and the digest. */
int ovi_sink_finish(struct ovi_sink *sink, struct ovl2_error *err);
