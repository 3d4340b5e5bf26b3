#pragma once

/* Kernel modules: what is known of one without loading it. */

#include <ovl2.h>

#include <stddef.h>

/* 1 when the kernel has `module` within itself. */
int modules_is_built_in(const char *module);

/*
 * 'Y', 'N' or another first letter of a module's parameter; 0 when there is none,
 * negative when it could not be read.
 */
int modules_parameter(const char *module, const char *name, struct ovl2_error *err);

/*
 * 1 when modprobe.d or the kernel forbids loading `module`, with the line that does in
 * `ret_line`; 0 when nothing does.
 */
int modules_find_ban(const char *module, char *ret_line, size_t size, struct ovl2_error *err);
