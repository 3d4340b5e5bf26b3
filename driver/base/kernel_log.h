#pragma once

/*
 * What the kernel logs about overlayfs while something is tried. mount(2) and its
 * successors say EINVAL; why is in the kernel log only (pr_warn in fs/overlayfs).
 */

#include <stddef.h>

/* A descriptor that reads what is logged from now on; -1 where that is not allowed. */
int ovi_kernel_log_open(void);

/*
 * Copies the next line about overlayfs logged since to `line`, without what the
 * kernel puts in front, and returns 1; 0 when there is none. On a busy host it may come
 * from somebody else's mount, so it is a hint for people and decides nothing.
 */
int ovi_kernel_log_next(int log, char *line, size_t size);

/* The last of them; "" when there is none. */
void ovi_kernel_log_read(int log, char *line, size_t size);

/* What evidence has before such a line: " (kernel log: overlayfs: ...)". */
#define OVI_KERNEL_LOG_MARK " (kernel log: "
