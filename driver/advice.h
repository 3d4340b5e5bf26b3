#pragma once

/* What to do about a mount that overlayfs refuses. */

#include <ovl2.h>

/*
 * Adds to the message of a failed mount what the kernel logged about it (`words`, ""
 * when nothing was), and the cure where one is known, by those words or by errno; of
 * both what the message does not have yet.
 */
void ovi_advice_add(struct ovl2_error *err, const char *words);
