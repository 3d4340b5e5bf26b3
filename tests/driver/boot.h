#pragma once

/*
 * Another boot, as far as the store can see: another boot id, and a run directory that
 * is empty again. For programs linked with the driver's internals.
 */

#include "support/test.h"

/* From here on this is boot number `number`; the first call puts the id in between. */
void test_boot(const struct test_place *place, int number);
