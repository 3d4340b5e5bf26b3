#pragma once

/*
 * What this process may do on the host, so that "not permitted" can be told from "not
 * possible". In a user namespace other than the first it may do nothing of that.
 */

#include <ovl2.h>

enum privilege {
	PRIVILEGE_CHOWN,
	PRIVILEGE_MKNOD,
	PRIVILEGE_SYS_ADMIN,
	PRIVILEGE_DAC_READ_SEARCH,
	PRIVILEGE_SYSLOG
};

/* 1, 0, or negative when it could not be found out. */
int privilege_ask(enum privilege privilege, struct ovl2_error *err);

static inline int privilege_has(enum privilege privilege)
{
	return privilege_ask(privilege, NULL) > 0;
}

/*
 * 1 in the first user namespace, where ids are what they are on the host, 0 in another,
 * negative when it could not be found out.
 */
int privilege_is_initial_userns(struct ovl2_error *err);
