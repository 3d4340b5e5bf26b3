#pragma once

#include <sys/types.h>

/*
 * getpid(2), and only the first time in a process a system call: remembered where a fork
 * does not see it, by whatever call it is made (MADV_WIPEONFORK, Linux >= 4.14).
 */
pid_t ovi_process_id(void);
