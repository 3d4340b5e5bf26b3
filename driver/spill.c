#include "spill.h"

#include "fail.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>

int ovi_spill_open(int place)
{
	return place < 0 ? -1 : ovi_sys.openat(place, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int ovi_spill_read(int fd, void *buffer, size_t size, uint64_t offset, struct ovl2_error *err)
{
	char *at = buffer;

	while (size > 0) {
		ssize_t length = ovi_sys.pread(fd, at, size, (off_t)offset);

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return ovi_fail_errno(err, "read back what is kept outside of memory");
		at += length;
		size -= (size_t)length;
		offset += (uint64_t)length;
	}

	return 0;
}

int ovi_spill_write(int fd, const void *buffer, size_t size, uint64_t offset,
                    struct ovl2_error *err)
{
	const char *at = buffer;

	while (size > 0) {
		ssize_t length = ovi_sys.pwrite(fd, at, size, (off_t)offset);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return ovi_fail_errno(err,
			                      "keep outside of memory what is too much for it");
		at += length;
		size -= (size_t)length;
		offset += (uint64_t)length;
	}

	return 0;
}
