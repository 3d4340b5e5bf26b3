#include "privilege.h"

#include "cleanup.h"
#include "fail.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

int privilege_is_initial_userns(struct ovl2_error *err)
{
	cleanup_fd int fd = ovi_sys.openat(AT_FDCWD, "/proc/self/uid_map", O_RDONLY, 0);
	unsigned int inside = 1;
	unsigned int outside = 1;
	unsigned int count = 0;
	char text[64];
	ssize_t length;

	/* Without user namespaces in the kernel there is only the first. */
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return ovi_fail_errno(err, "open /proc/self/uid_map");
	length = ovi_sys.read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return ovi_fail_errno(err, "read /proc/self/uid_map");
	text[length] = '\0';

	return sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
	       outside == 0 && count == 4294967295u;
}

int privilege_ask(enum privilege privilege, struct ovl2_error *err)
{
	static const unsigned int numbers[] = {
		[PRIVILEGE_CHOWN] = CAP_CHOWN,
		[PRIVILEGE_MKNOD] = CAP_MKNOD,
		[PRIVILEGE_SYS_ADMIN] = CAP_SYS_ADMIN,
		[PRIVILEGE_DAC_READ_SEARCH] = CAP_DAC_READ_SEARCH,
		[PRIVILEGE_SYSLOG] = CAP_SYSLOG,
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	unsigned int number = numbers[privilege];

	if (syscall(SYS_capget, &header, data) < 0)
		return ovi_fail_errno(err, "capget");
	if (!(data[number / 32].effective >> number % 32 & 1))
		return 0;

	return privilege_is_initial_userns(err);
}
