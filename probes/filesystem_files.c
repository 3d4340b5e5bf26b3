#include "families.h"

#include "cleanup.h"
#include "privilege.h"
#include "sys.h"
#include "trial.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <time.h>

/* ----------------------------------------------------------- names, kinds -- */

static int whiteout_device(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	if (trial_ok(&t) && ovi_sys.mknodat(t.dir, "gone", S_IFCHR | 0600, makedev(0, 0)) < 0) {
		trial_failed(&t, "mknod char 0:0");

		/* Who may make any device and not this one has asked the wrong filesystem. */
		t.is_no = t.reason.sys == EPERM && privilege_has(PRIVILEGE_MKNOD);
	}
	trial_expect(&t, trial_exists(&t, t.dir, "gone"),
	             "mknod made char 0:0, and it is not there");
	trial_expect(&t, trial_is_whiteout(&t, "gone"), "mknod of char 0:0 made something else");

	return trial_answer(&t, ret_evidence, err, 0, "mknod made char 0:0");
}

static int rename_whiteout(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "from", "text");
	trial_call(&t, ovi_sys.renameat2(t.dir, "from", t.dir, "to", RENAME_WHITEOUT),
	           "renameat2 with RENAME_WHITEOUT");
	trial_expect(&t, trial_exists(&t, t.dir, "from"), "RENAME_WHITEOUT left nothing behind");
	trial_expect(&t, trial_is_whiteout(&t, "from"), "RENAME_WHITEOUT left no whiteout");

	return trial_answer(&t, ret_evidence, err, 0, "renameat2 moved a file, left char 0:0");
}

static int rename_exchange(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "a", "first");
	trial_file(&t, t.dir, "b", "second");
	trial_call(&t, ovi_sys.renameat2(t.dir, "a", t.dir, "b", RENAME_EXCHANGE),
	           "renameat2 with RENAME_EXCHANGE");
	trial_expect(&t, trial_has_text(&t, t.dir, "a", "second"), "'a' is not what 'b' was");
	trial_expect(&t, trial_has_text(&t, t.dir, "b", "first"), "'b' is not what 'a' was");

	return trial_answer(&t, ret_evidence, err, 0, "renameat2 exchanged two files");
}

static int rename_noreplace(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "a", "first");
	trial_file(&t, t.dir, "b", "second");
	trial_call_fails(&t, ovi_sys.renameat2(t.dir, "a", t.dir, "b", RENAME_NOREPLACE), EEXIST,
	                 "renameat2 with RENAME_NOREPLACE onto a file");
	trial_call(&t, ovi_sys.renameat2(t.dir, "a", t.dir, "c", RENAME_NOREPLACE),
	           "renameat2 with RENAME_NOREPLACE");
	trial_expect(&t, trial_has_text(&t, t.dir, "b", "second"), "a file was replaced");

	return trial_answer(&t, ret_evidence, err, 0, "renameat2 refused to replace a file");
}

static int tmpfile_works(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	char path[32];

	trial_begin(&t, directory);
	fd = trial_call(&t, ovi_sys.openat(t.dir, ".", O_TMPFILE | O_RDWR, 0600),
	                "open with O_TMPFILE");
	trial_call(&t, ovi_sys.write(fd, "text", 4), "write a file without a name");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	trial_call(&t, ovi_sys.linkat(AT_FDCWD, path, t.dir, "named", AT_SYMLINK_FOLLOW),
	           "give a file a name");
	trial_expect(&t, trial_has_text(&t, t.dir, "named", "text"), "the file is another one");

	return trial_answer(&t, ret_evidence, err, 0, "O_TMPFILE made a file, linkat named it");
}

static int hard_links(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat a = { 0 };
	struct stat b = { 0 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "a", "text");

	/* link(2): EPERM where the filesystem has none. */
	trial_call_no(&t, ovi_sys.linkat(t.dir, "a", t.dir, "b", 0), EPERM, "linkat");
	trial_call(&t, ovi_sys.fstatat(t.dir, "a", &a, 0), "look at a file");
	trial_call(&t, ovi_sys.fstatat(t.dir, "b", &b, 0), "look at a link");
	trial_expect(&t, a.st_ino == b.st_ino && a.st_nlink == 2,
	             "two names, but inodes %llu and %llu with %llu links",
	             (unsigned long long)a.st_ino, (unsigned long long)b.st_ino,
	             (unsigned long long)a.st_nlink);

	return trial_answer(&t, ret_evidence, err, 0, "linkat gave one inode two names");
}

static int long_names(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char name[NAME_MAX + 1];

	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	trial_begin(&t, directory);
	trial_call_no(&t, ovi_sys.mkdirat(t.dir, name, 0755), ENAMETOOLONG,
	              "make a directory with a name of %d bytes", NAME_MAX);
	trial_expect(&t, trial_lists(&t, t.dir, ".", name), "a long name is listed otherwise");

	return trial_answer(&t, ret_evidence, err, NAME_MAX, "a name of %d bytes is kept",
	                    NAME_MAX);
}

static int long_symlinks(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	char target[PATH_MAX];
	char found[PATH_MAX];

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	trial_begin(&t, directory);
	trial_call_no(&t, ovi_sys.symlinkat(target, t.dir, "link"), ENAMETOOLONG,
	              "make a symlink of %d bytes", PATH_MAX - 1);
	trial_expect(&t,
	             trial_call(&t, ovi_sys.readlinkat(t.dir, "link", found, sizeof(found)),
	                        "read a symlink") == PATH_MAX - 1,
	             "a symlink is shorter than it was made");

	return trial_answer(&t, ret_evidence, err, PATH_MAX - 1, "a symlink of %d bytes is kept",
	                    PATH_MAX - 1);
}

static int case_sensitive(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "Makefile", "large");
	trial_file(&t, t.dir, "makefile", "small");
	trial_expect(&t, trial_has_text(&t, t.dir, "Makefile", "large"),
	             "'Makefile' and 'makefile' are the same file");

	return trial_answer(&t, ret_evidence, err, 0, "'Makefile' and 'makefile' are two files");
}

static int special_files(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat st = { 0 };

	trial_begin(&t, directory);
	trial_call(&t, ovi_sys.mknodat(t.dir, "fifo", S_IFIFO | 0600, 0), "make a fifo");
	trial_call(&t, ovi_sys.mknodat(t.dir, "socket", S_IFSOCK | 0600, 0), "make a socket");
	if (trial_ok(&t) && ovi_sys.mknodat(t.dir, "null", S_IFCHR | 0600, makedev(1, 3)) < 0) {
		trial_failed(&t, "make a device");
		t.is_no = t.reason.sys == EPERM && privilege_has(PRIVILEGE_MKNOD);
	}
	trial_call(&t, ovi_sys.fstatat(t.dir, "null", &st, 0), "look at a device");
	trial_expect(&t, S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3),
	             "a device became something else");

	return trial_answer(&t, ret_evidence, err, 0, "mknod made a fifo, a socket and a device");
}

/* ---------------------------------------------------- owners, modes, times -- */

static int file_owners(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat st = { 0 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	trial_chown(&t, "file", 100001, 100002);
	t.is_no = t.reason.sys == EPERM && privilege_has(PRIVILEGE_CHOWN);
	trial_call(&t, ovi_sys.fstatat(t.dir, "file", &st, 0), "look at a file");
	trial_expect(&t, st.st_uid == 100001 && st.st_gid == 100002,
	             "chown to 100001:100002 made it %u:%u", st.st_uid, st.st_gid);

	return trial_answer(&t, ret_evidence, err, 0, "chown to 100001:100002 is kept");
}

static int file_modes(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const mode_t modes[] = { 0, 04755, 02711, 01777 };
	cleanup_trial struct trial t = TRIAL_INIT;
	struct stat st = { 0 };

	trial_begin(&t, directory);
	trial_directory(&t, t.dir, "d");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		trial_call(&t, ovi_sys.fchmodat(t.dir, "d", modes[i]), "chmod to %04o", modes[i]);
		trial_call(&t, ovi_sys.fstatat(t.dir, "d", &st, 0), "look at a directory");
		trial_expect(&t, (st.st_mode & 07777) == modes[i], "chmod to %04o made it %04o",
		             modes[i], st.st_mode & 07777);
	}

	return trial_answer(&t, ret_evidence, err, 0, "modes 0000, 4755, 2711 and 1777 are kept");
}

/* What is left of the modification time `want`. */
static void set_and_check_time(struct trial *t, struct timespec want)
{
	const struct timespec times[2] = { want, want };
	struct stat st = { 0 };

	trial_file(t, t->dir, "file", "");
	trial_call(t, ovi_sys.utimensat(t->dir, "file", times, 0), "set a time");
	trial_call(t, ovi_sys.fstatat(t->dir, "file", &st, 0), "look at a time");
	trial_expect(t, st.st_mtim.tv_sec == want.tv_sec && st.st_mtim.tv_nsec == want.tv_nsec,
	             "time %lld.%09ld became %lld.%09ld", (long long)want.tv_sec, want.tv_nsec,
	             (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static int nanosecond_times(int directory, struct ovl2_evidence *ret_evidence,
                            struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	set_and_check_time(&t, (struct timespec){ 1000000000, 123456789 });

	return trial_answer(&t, ret_evidence, err, 0, "a time is kept to the nanosecond");
}

static int late_times(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	set_and_check_time(&t, (struct timespec){ 4102444800, 0 });

	return trial_answer(&t, ret_evidence, err, 0, "a time of the year 2100 is kept");
}

static int birth_times(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	struct statx st = { 0 };

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	trial_call(&t, ovi_sys.statx(t.dir, "file", 0, STATX_BTIME, &st), "statx");
	trial_expect(&t, st.stx_mask & STATX_BTIME, "statx tells no time of birth");

	return trial_answer(&t, ret_evidence, err, 0, "statx tells when a file was made");
}

/* ------------------------------------------------------------------- data -- */

static int sparse_files(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	struct stat st = { 0 };
	off_t data = 0;

	trial_begin(&t, directory);
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDWR | O_CREAT, 0600), "make a file");
	trial_call(&t, ovi_sys.ftruncate(fd, 1 << 24), "grow a file");
	if (trial_ok(&t) && pwrite(fd, "x", 1, (1 << 24) - 1) < 0)
		trial_failed(&t, "write at its end");
	trial_call(&t, ovi_sys.fstatat(fd, "", &st, AT_EMPTY_PATH), "look at a file");
	if (trial_ok(&t))
		data = lseek(fd, 0, SEEK_DATA);
	trial_expect(&t, st.st_blocks < 4096 && data > 0,
	             "a file of one byte at 16 MiB takes %lld KiB, its data begins at %lld",
	             (long long)st.st_blocks / 2, (long long)data);

	return trial_answer(&t, ret_evidence, err, 0,
	                    "a byte at 16 MiB takes %lld KiB, SEEK_DATA finds it",
	                    (long long)st.st_blocks / 2);
}

static int large_files(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	const off_t size = 5LL << 30;
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;

	trial_begin(&t, directory);
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDWR | O_CREAT, 0600), "make a file");
	trial_call_no(&t, ovi_sys.ftruncate(fd, size), EFBIG, "grow a file to 5 GiB");
	trial_expect(&t, lseek(fd, 0, SEEK_END) == size, "a file of 5 GiB has another size");

	return trial_answer(&t, ret_evidence, err, 0, "a file can be of 5 GiB");
}

static int reflink(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int from = -1;
	cleanup_fd int to = -1;
	char block[8192];

	memset(block, 'r', sizeof(block));
	trial_begin(&t, directory);
	from = trial_call(&t, ovi_sys.openat(t.dir, "a", O_RDWR | O_CREAT, 0600), "make a file");
	to = trial_call(&t, ovi_sys.openat(t.dir, "b", O_RDWR | O_CREAT, 0600), "make a file");
	trial_call(&t, ovi_sys.write(from, block, sizeof(block)), "write a file");
	trial_call_no(&t, ioctl(to, FICLONE, from), EXDEV, "ioctl FICLONE");
	trial_expect(&t, lseek(to, 0, SEEK_END) == sizeof(block), "the clone is shorter");

	return trial_answer(&t, ret_evidence, err, 0, "ioctl FICLONE made a file share its blocks");
}

static int same_text(int fd, const char *text, size_t length)
{
	char found[64];

	return pread(fd, found, sizeof(found), 0) == (ssize_t)length &&
	       memcmp(found, text, length) == 0;
}

static int copy_range(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static const char text[] = "what is copied";
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int from = -1;
	cleanup_fd int to = -1;
	cleanup_fd int sent = -1;
	off_t at = 0;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "a", text);
	from = trial_call(&t, ovi_sys.openat(t.dir, "a", O_RDONLY, 0), "open a file");
	to = trial_call(&t, ovi_sys.openat(t.dir, "b", O_RDWR | O_CREAT, 0600), "make a file");
	sent = trial_call(&t, ovi_sys.openat(t.dir, "c", O_RDWR | O_CREAT, 0600), "make a file");
	trial_call(&t, ovi_sys.copy_file_range(from, to, sizeof(text) - 1), "copy_file_range");
	trial_expect(&t, same_text(to, text, sizeof(text) - 1),
	             "copy_file_range copied something else");
	trial_call(&t, sendfile(sent, from, &at, sizeof(text) - 1), "sendfile");
	trial_expect(&t, same_text(sent, text, sizeof(text) - 1), "sendfile copied something else");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "copy_file_range and sendfile copied the bytes that were there");
}

static int shared_mappings(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	char *map = NULL;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "text");
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDWR, 0), "open a file");
	if (trial_ok(&t)) {
		map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED) {
			trial_failed(&t, "mmap with MAP_SHARED");
		} else {
			map[0] = 'n';
			munmap(map, 4);
		}
	}
	trial_expect(&t, trial_has_text(&t, t.dir, "file", "next"),
	             "what is written to a mapping is not in the file");

	return trial_answer(&t, ret_evidence, err, 0, "what is written to a mapping is read back");
}

/* A scratch directory is locked as well: where it cannot be for that reason is an answer. */
static void refuse_without_locks(struct trial *t, int directory)
{
	if (trial_ok(t))
		return;
	if (ovi_sys.flock(directory, LOCK_SH | LOCK_NB) == 0) {
		ovi_sys.flock(directory, LOCK_UN);
	} else {
		trial_failed(t, "flock of a directory");
		t->is_unasked = 0;
	}
}

static int file_locks(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int first = -1;
	cleanup_fd int second = -1;

	trial_begin(&t, directory);
	refuse_without_locks(&t, directory);
	first = trial_call(&t, ovi_sys.openat(t.dir, "lower", O_RDONLY, 0), "open a directory");
	second = trial_call(&t, ovi_sys.openat(t.dir, "lower", O_RDONLY, 0), "open a directory");
	trial_call(&t, ovi_sys.flock(first, LOCK_EX | LOCK_NB), "flock");
	trial_call_fails(&t, ovi_sys.flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK,
	                 "flock of what is locked");
	trial_call(&t, ovi_sys.flock(first, LOCK_UN), "flock with LOCK_UN");
	trial_call(&t, ovi_sys.flock(second, LOCK_EX | LOCK_NB), "flock of what is free again");

	return trial_answer(&t, ret_evidence, err, 0, "flock of a directory kept a second one out");
}

static double elapsed_us(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return (double)(now.tv_sec - start->tv_sec) * 1e6 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e3;
}

#define FLUSHES 3
#define SLOW_US 50000

/* The middle one of three, so that one that waits for others does not count. */
static int fsync_latency(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	double times[FLUSHES] = { 0 };
	double low;
	double high;
	double middle;

	trial_begin(&t, directory);
	fd = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDWR | O_CREAT, 0600), "make a file");
	for (size_t i = 0; i < FLUSHES && trial_ok(&t); i++) {
		struct timespec start;

		trial_call(&t, ovi_sys.write(fd, "text", 4), "write a file");
		clock_gettime(CLOCK_MONOTONIC, &start);
		trial_call(&t, ovi_sys.fsync(fd), "fsync");
		times[i] = elapsed_us(&start);
	}
	low = times[0] < times[1] ? times[0] : times[1];
	high = times[0] < times[1] ? times[1] : times[0];
	middle = times[2] < low ? low : times[2] > high ? high : times[2];
	trial_expect(&t, middle <= SLOW_US, "fsync takes %.1f ms, more than %d", middle / 1e3,
	             SLOW_US / 1000);

	return trial_answer(&t, ret_evidence, err, (uint64_t)middle, "fsync takes %.1f ms",
	                    middle / 1e3);
}

static int directory_fsync(int directory, struct ovl2_evidence *ret_evidence,
                           struct ovl2_error *err)
{
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	trial_call(&t, ovi_sys.fsync(t.dir), "fsync of a directory");
	trial_call(&t, ovi_sys.syncfs(t.dir), "syncfs");

	return trial_answer(&t, ret_evidence, err, 0, "fsync of a directory and syncfs work");
}

/* ------------------------------------------------------------------ table -- */

const struct probe probe_files_family[] = {
	{
		.id = "whiteout_device",
		.group = "filesystem",
		.title = "Can a whiteout be made?",
		.why = "What an image deletes of its parents is a character device 0:0 in its layer; "
		       "unpacking an image makes them.",
		.how = "mknodat(S_IFCHR, 0:0) in a scratch directory, fstatat.",
		.since = "any filesystem of Linux itself; in user namespaces Linux 5.8",
		.remedy = OTHER_FILESYSTEM,
		.run = whiteout_device,
	},
	{
		.id = "rename_whiteout",
		.group = "filesystem",
		.title = "Can a rename leave a whiteout behind?",
		.why = "Overlayfs moves files that way, and takes no filesystem without as an upper.",
		.how = "renameat2(RENAME_WHITEOUT) of a file; its old name has to be char 0:0.",
		.since = "ext4 3.18, xfs 4.1, btrfs 4.7, zfs 2.2",
		.remedy = OTHER_FILESYSTEM,
		.run = rename_whiteout,
	},
	{
		.id = "rename_exchange",
		.group = "filesystem",
		.title = "Can two files be exchanged?",
		.why = "Overlayfs replaces a directory by a whiteout in one step with it.",
		.how = "renameat2(RENAME_EXCHANGE) of two files; each has to have the other's text.",
		.since = "ext4 3.15, xfs and btrfs 4.x",
		.remedy = OTHER_FILESYSTEM,
		.run = rename_exchange,
	},
	{
		.id = "rename_noreplace",
		.group = "filesystem",
		.title = "Can a rename refuse to replace?",
		.why = "A layer is published by such a rename: it can never take another's place.",
		.how = "renameat2(RENAME_NOREPLACE) onto a file has to be EEXIST, onto a free name "
		       "has to work.",
		.since = "ext4 3.15, other filesystems 3.17 to 4.9",
		.remedy = OTHER_FILESYSTEM,
		.run = rename_noreplace,
	},
	{
		.id = "tmpfile",
		.group = "filesystem",
		.title = "Can a file be made without a name?",
		.why = "Copying up makes the copy so, and it appears when it is whole; without, "
		       "overlayfs is slower and refuses remote filesystems.",
		.how = "openat(O_TMPFILE), write, linkat of /proc/self/fd, read.",
		.since = "ext4 and xfs 3.11, btrfs 3.16, overlayfs's use 4.11",
		.remedy = OTHER_FILESYSTEM,
		.run = tmpfile_works,
	},
	{
		.id = "hard_links",
		.group = "filesystem",
		.title = "Can a file have two names?",
		.why = "Images have hard links.",
		.how = "linkat; both names have to have one inode with two links.",
		.since = "any filesystem but FAT and some remote ones",
		.remedy = OTHER_FILESYSTEM,
		.run = hard_links,
	},
	{
		.id = "long_names",
		.group = "filesystem",
		.title = "Can a name have 255 bytes?",
		.why = "Images have such names. eCryptfs, which encrypts them, takes 143.",
		.how = "mkdirat with 255 bytes; getdents64 has to list it.",
		.since = "any filesystem but encrypting and remote ones",
		.remedy = OTHER_FILESYSTEM,
		.run = long_names,
	},
	{
		.id = "long_symlinks",
		.group = "filesystem",
		.title = "Can a symlink have 4095 bytes?",
		.why = "A layer may have such a link; XFS takes 1023 bytes, ext4 a block less one.",
		.how = "symlinkat with 4095 bytes, readlinkat.",
		.since = "ext4 with blocks of 4096 bytes, tmpfs",
		.remedy = "Nothing, unless an image is refused for it; then:\n"
			  "  mkfs.ext4 /dev/DISK",
		.run = long_symlinks,
	},
	{
		.id = "case_sensitive",
		.group = "filesystem",
		.title = "Are 'Makefile' and 'makefile' two files?",
		.why = "In images they are, and overlayfs takes no directory where they are not.",
		.how = "Makes both and reads the first.",
		.since = "any filesystem that does not fold case",
		.remedy = "ext4, while not mounted and with no such directory left:\n"
			  "  tune2fs -O ^casefold /dev/DISK",
		.run = case_sensitive,
	},
	{
		.id = "special_files",
		.group = "filesystem",
		.title = "Can fifos, sockets and devices be made?",
		.why = "Layers have them.",
		.how = "mknodat of a fifo, a socket and char 1:3; fstatat of the last.",
		.since = "any filesystem of Linux itself",
		.remedy = OTHER_FILESYSTEM,
		.run = special_files,
	},
	{
		.id = "file_owners",
		.group = "filesystem",
		.title = "Is the owner of a file kept?",
		.why = "Files of an image belong to many users. FAT, and NFS that squashes root, "
		       "make them all one.",
		.how = "fchownat to 100001:100002, fstatat.",
		.since = "any filesystem of Linux itself",
		.remedy = "NFS: export it with no_root_squash. Otherwise:\n"
			  "  mkfs.xfs -n ftype=1 /dev/DISK",
		.run = file_owners,
	},
	{
		.id = "file_modes",
		.group = "filesystem",
		.title = "Are all twelve bits of a mode kept?",
		.why = "Images have set-uid programs and sticky directories.",
		.how = "fchmodat to 0000, 4755, 2711 and 1777, fstatat after each.",
		.since = "any filesystem of Linux itself",
		.remedy = OTHER_FILESYSTEM,
		.run = file_modes,
	},
	{
		.id = "nanosecond_times",
		.group = "filesystem",
		.title = "Are times kept to the nanosecond?",
		.why = "A layer whose times are cut gives another digest when it is packed again.",
		.how = "utimensat with 123456789 ns, fstatat.",
		.since = "ext4 with inodes of 256 bytes, xfs, btrfs",
		.remedy = "ext4 that was made with small inodes has to be made anew:\n"
			  "  mkfs.ext4 -I 256 /dev/DISK",
		.run = nanosecond_times,
	},
	{
		.id = "late_times",
		.group = "filesystem",
		.title = "Is a time of the year 2100 kept?",
		.why = "Filesystems that cannot change it to the last one they know, on XFS without "
		       "bigtime in 2038.",
		.how = "utimensat with 2100-01-01, fstatat.",
		.since = "xfs 5.10 with bigtime, ext4 with inodes of 256 bytes, btrfs",
		.remedy = "XFS, while not mounted:\n"
			  "  xfs_admin -O bigtime=1 /dev/DISK",
		.run = late_times,
	},
	{
		.id = "birth_times",
		.group = "filesystem",
		.title = "Is it known when a file was made?",
		.why = "Tools that look for what changed use it. Nothing depends on it.",
		.how = "statx(STATX_BTIME).",
		.since = "Linux 4.11; ext4, xfs and btrfs, tmpfs 6.0",
		.remedy = OTHER_FILESYSTEM,
		.run = birth_times,
	},
	{
		.id = "sparse_files",
		.group = "filesystem",
		.title = "Do holes take no room?",
		.why = "Databases and virtual disks in containers are mostly holes; copying up keeps "
		       "them only if it can find them.",
		.how = "ftruncate to 16 MiB, pwrite of the last byte, fstatat, lseek(SEEK_DATA).",
		.since = "Linux 3.1; ext4, xfs, btrfs, tmpfs",
		.remedy = OTHER_FILESYSTEM,
		.run = sparse_files,
	},
	{
		.id = "large_files",
		.group = "filesystem",
		.title = "Can a file be of 5 GiB?",
		.why = "Layers have files that large; FAT ends at 4 GiB.",
		.how = "ftruncate to 5 GiB, lseek(SEEK_END).",
		.since = "any filesystem of Linux itself",
		.remedy = OTHER_FILESYSTEM,
		.run = large_files,
	},
	{
		.id = "reflink",
		.group = "filesystem",
		.title = "Can files share their blocks?",
		.why = "Copying up a large file is then instant and takes no room, and storage can "
		       "be deduplicated.",
		.how = "ioctl(FICLONE) of 8 KiB.",
		.since = "xfs made with reflink=1 4.9 (the default since xfsprogs 5.1), btrfs",
		.remedy = "XFS has to be made anew, which deletes all that is on it:\n"
			  "  mkfs.xfs -f -m reflink=1 /dev/DISK",
		.run = reflink,
	},
	{
		.id = "copy_range",
		.group = "filesystem",
		.title = "Does the kernel copy what is there?",
		.why = "Copying up, cp and unpacking have the kernel copy. Linux before 5.11 copied "
		       "zeroes in places.",
		.how = "copy_file_range and sendfile of one file to two others, which are compared.",
		.since = "Linux 4.5",
		.remedy = NEWER_KERNEL,
		.run = copy_range,
	},
	{
		.id = "shared_mappings",
		.group = "filesystem",
		.title = "Is what is written to a mapping in the file?",
		.why = "Databases in containers map their files.",
		.how = "mmap(MAP_SHARED), a store, read.",
		.since = "any filesystem of Linux itself",
		.remedy = OTHER_FILESYSTEM,
		.run = shared_mappings,
	},
	{
		.id = "file_locks",
		.group = "filesystem",
		.title = "Do locks of a directory exclude?",
		.why = "Engines, and this library, keep each other out of a store by them.",
		.how = "flock(LOCK_EX) of a directory by two descriptors; the second has to wait.",
		.since = "any filesystem of Linux itself; NFS mounted without nolock",
		.remedy = "NFS: mount it without the options nolock and local_lock. Otherwise:\n"
			  "  mkfs.xfs -n ftype=1 /dev/DISK",
		.run = file_locks,
	},
	{
		.id = "directory_fsync",
		.group = "filesystem",
		.title = "Can a directory be made durable?",
		.why = "A layer is there after a power cut because its directory was flushed.",
		.how = "fsync of a directory, syncfs.",
		.since = "any filesystem of Linux itself",
		.remedy = OTHER_FILESYSTEM,
		.run = directory_fsync,
	},
	{
		.id = "fsync_latency",
		.group = "filesystem",
		.title = "Does fsync take at most 50 ms?",
		.why = "Pulling an image and every change of a database wait for it.",
		.how = "write and fsync of a few bytes, three times; the one in the middle counts. "
		       "The value is in microseconds.",
		.since = "any filesystem on a disk of flash",
		.remedy = "Look at what else writes, and at the disk itself:\n"
			  "  iostat -x 1 5\n"
			  "  smartctl -a /dev/DISK",
		.run = fsync_latency,
	},
	{ .id = NULL },
};
