#pragma once

/*
 * Waivers: a file in which people accept, for a while and with a reason, answers that
 * a profile does not want. reports/FORMAT.md describes it ("ovl2-waivers/1").
 */

#include "probe.h"

struct probe_waivers {
	struct probe_waiver *list;
	size_t count;

	/* Holds their text. */
	json_t *document;
};

#define cleanup_waivers __attribute__((cleanup(probe_waivers_release)))

/*
 * Reads file `path`. Release `ret_waivers` with probe_waivers_release().
 *
 * Errors: OVL2_E_INVALID when it is no such file, an entry lacks id, reason or date,
 * has what is not known, or names no probe.
 */
int probe_waivers_read(const char *path, struct probe_waivers *ret_waivers, struct ovl2_error *err);

void probe_waivers_release(struct probe_waivers *waivers);

/* One entry; its text stays in `object`. */
int waiver_read(const json_t *object, struct probe_waiver *ret_waiver, struct ovl2_error *err);
