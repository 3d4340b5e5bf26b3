#include "holders.h"

#include "cleanup.h"
#include "dir.h"
#include "fail.h"
#include "file.h"
#include "strbuf.h"
#include "sys.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

/* Names enough to act on; a busy mount can have thousands. */
#define MAX_NAMED 5

/* The id of the mount that `name` is on; 0 when that cannot be told. Linux >= 5.8. */
static uint64_t mount_of(int dir, const char *name, int flags)
{
	struct statx st;

	if (ovi_sys.statx(dir, name, flags | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return 0;

	return st.stx_mnt_id;
}

/* Is one of the links in this directory of /proc/<pid> to something on the mount? */
static int links_into(int process, const char *name, uint64_t mount)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	cleanup_fd int dir = -1;

	if (ovi_dir_open(process, name, &dir, NULL) < 0 ||
	    ovi_dir_list(dir, name, &listing, NULL) < 0)
		return 0;
	for (size_t i = 0; i < listing.count; i++)
		if (mount_of(dir, listing.names[i].name, 0) == mount)
			return 1;

	return 0;
}

static int holds(int process, uint64_t mount)
{
	return mount_of(process, "cwd", 0) == mount || mount_of(process, "root", 0) == mount ||
	       mount_of(process, "exe", 0) == mount || links_into(process, "fd", mount) ||
	       links_into(process, "map_files", mount);
}

static size_t find_holders(const char *path, struct ovi_strbuf *text)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	uint64_t mount = mount_of(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
	cleanup_fd int proc = -1;
	size_t count = 0;

	if (!mount || ovi_dir_open(AT_FDCWD, "/proc", &proc, NULL) < 0 ||
	    ovi_dir_list(proc, "/proc", &listing, NULL) < 0)
		return 0;

	for (size_t i = 0; i < listing.count; i++) {
		const char *pid = listing.names[i].name;
		cleanup_free char *command = NULL;
		cleanup_fd int process = -1;

		if (pid[strspn(pid, "0123456789")] || ovi_dir_open(proc, pid, &process, NULL) < 0 ||
		    !holds(process, mount))
			continue;
		if (++count > MAX_NAMED)
			continue;
		if (ovi_file_read(process, "comm", 64, &command, NULL, NULL) == 0)
			command[strcspn(command, "\n")] = '\0';
		ovi_strbuf_addf(text, "%s%s (%s)", count > 1 ? ", " : "", pid,
		                command ? command : "gone");
	}
	if (count > MAX_NAMED)
		ovi_strbuf_addf(text, " and %zu more", count - MAX_NAMED);

	return count;
}

static int fail_busy(const char *path, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	if (!find_holders(path, &text))
		ovi_strbuf_add(&text, "a mount below it, or a process not seen from here");
	errno = EBUSY;

	return ovi_fail_errno(err, "'%s' is in use by %s", path,
	                      text.failed ? "somebody" : text.text);
}

int ovi_unmount(const char *path, struct ovl2_error *err)
{
	if (ovi_sys.umount2(path, UMOUNT_NOFOLLOW) == 0)
		return 0;

	return errno == EBUSY ? fail_busy(path, err) : ovi_fail_errno(err, "unmount '%s'", path);
}
