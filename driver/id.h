#pragma once

/* Names in the store: ids of layers, short names of links, names of temporaries. */

#include <ovl2.h>

/* "l/" and 26 characters of base32, and a NUL: what a `lower` file is made of. */
#define OVI_LINK_LENGTH 26
#define OVI_LINK_SIZE (2 + OVI_LINK_LENGTH + 1)

/* An id, a slash, and the name of what is in a layer's directory: "diff", "merged". */
#define OVI_LAYER_PATH_SIZE (OVL2_ID_SIZE + 8)

/* Fails with OVL2_E_INVALID unless `id` follows the rule in ovl2.h. */
int ovi_id_check(const char *id, struct ovl2_error *err);

/* Does `id` follow the rule? */
int ovi_id_is_valid(const char *id);

/* Is the text of that length "l/" and 26 of [A-Z2-7]? */
int ovi_link_is_valid(const char *text, size_t length);

/* "<id>/<name>", as the store's home has it. */
void ovi_layer_path(char ret_path[OVI_LAYER_PATH_SIZE], const char *id, const char *name);

/* 26 random characters, 130 bits: for links, and for what needs a name briefly. */
int ovi_random_name(char ret_name[OVI_LINK_LENGTH + 1], struct ovl2_error *err);
