#pragma once

/*
 * What this process may do on the host, so that "not permitted" can be told from "not
 * possible". In a user namespace other than the first it may do nothing of that.
 */

enum privilege {
	PRIVILEGE_CHOWN,
	PRIVILEGE_MKNOD,
	PRIVILEGE_SYS_ADMIN,
	PRIVILEGE_DAC_READ_SEARCH,
	PRIVILEGE_SYSLOG
};

int privilege_has(enum privilege privilege);

/* 1 in the first user namespace, where ids are what they are on the host. */
int privilege_is_initial_userns(void);
