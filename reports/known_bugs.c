#include "families.h"

#include "cleanup.h"
#include "modules.h"
#include "sandbox.h"
#include "sys.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/*
 * Kernels that are known to be bad for layers, each found by doing what goes wrong there:
 * distributions fix such a kernel without another number, so numbers are for readers.
 */

#define PLAIN "lowerdir=lower,upperdir=upper,workdir=work"

/* What direct writes of any disk are multiples of. */
#define BLOCK_BYTES 4096

static int write_directly(struct trial *t, int fd, char *block, char letter)
{
	memset(block, letter, BLOCK_BYTES);

	return trial_call(t, ovi_sys.write(fd, block, BLOCK_BYTES), "write a block directly");
}

/* Both blocks, in this order. */
static int has_blocks(struct trial *t, int fd, const char *letters)
{
	char text[2 * BLOCK_BYTES + 1];
	int length = trial_call(t, ovi_sys.pread(fd, text, sizeof(text), 0), "read them");

	return length == 2 * BLOCK_BYTES && text[0] == letters[0] &&
	       text[BLOCK_BYTES - 1] == letters[0] && text[BLOCK_BYTES] == letters[1] &&
	       text[length - 1] == letters[1];
}

static int direct_writes(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	static char block[BLOCK_BYTES] __attribute__((aligned(BLOCK_BYTES)));
	cleanup_trial struct trial t = TRIAL_INIT;
	cleanup_fd int fd = -1;
	cleanup_fd int reader = -1;

	trial_begin(&t, directory);
	trial_file(&t, t.dir, "file", "");
	if (trial_ok(&t))
		fd = ovi_sys.openat(t.dir, "file", O_WRONLY | O_DIRECT | O_SYNC, 0);
	if (trial_ok(&t) && fd < 0 && errno == EINVAL)
		trial_unknown(&t, PROBE_REASON_NOT_APPLICABLE,
		              "this filesystem has no direct writes");
	else if (trial_ok(&t) && fd < 0)
		trial_failed(&t, "open a file with O_DIRECT");
	write_directly(&t, fd, block, 'a');
	write_directly(&t, fd, block, 'b');
	reader = trial_call(&t, ovi_sys.openat(t.dir, "file", O_RDONLY, 0), "open the file");
	trial_expect(&t, has_blocks(&t, reader, "ab"),
	             "two blocks written one after another are not where they belong");

	return trial_answer(&t, ret_evidence, err, 0,
	                    "two blocks written one after another with O_DIRECT and O_SYNC are "
	                    "where they belong");
}

static int leaked_mount(int directory, struct ovl2_evidence *ret_evidence, struct ovl2_error *err)
{
	/* As engines mount, where that is an option: with an index a second mount is an error. */
	const char *options =
		modules_parameter("overlay", "index", NULL) > 0 ? PLAIN ",index=off" : PLAIN;
	cleanup_trial struct trial t = TRIAL_INIT;

	trial_begin(&t, directory);
	if (trial_ok(&t) && !sandbox_is_private())
		trial_unknown(&t, PROBE_REASON_NOPERM, "no mounts of its own for this process");
	trial_directory(&t, t.dir, "again");
	trial_mount(&t, options);
	if (trial_call_no(&t, ovi_sys.mount("overlay", "again", "overlay", 0, options), EBUSY,
	                  "mount an upper again") == 0)
		ovi_sys.umount2("again", MNT_DETACH);

	return trial_answer(&t, ret_evidence, err, 0,
	                    "an upper was mounted again while it was mounted elsewhere");
}

const struct probe probe_bugs_family[] = {
	{
		.id = "direct_writes",
		.group = "filesystem",
		.title = "Do direct writes land where they belong?",
		.why = "Databases write so. On ext4 of two stable kernels a write did not move "
		       "the file's position, and the next one went over it.",
		.how = "Two blocks are written with O_DIRECT and O_SYNC, one after another, and "
		       "the file is read.",
		.since = "a bug of Linux 6.1.64 and 6.1.65: https://bugs.debian.org/1057843",
		.remedy = NEWER_KERNEL,
		.run = direct_writes,
	},
	{
		.id = "leaked_mount",
		.group = "overlay",
		.title = "Can an upper be mounted again while an old mount of it is left?",
		.why = "A mount that leaked into another namespace, of a service that was started "
		       "meanwhile, keeps a container from being started again where it cannot.",
		.how = "An overlay is mounted with index=off, and its upper with mount(2) a second "
		       "time.",
		.since = "a bug of Linux 5.2 and of stable kernels of that summer, 4.19.75, 5.2.17 "
			 "and 5.3.1 have it mended: https://github.com/moby/moby/issues/39475",
		.remedy = NEWER_KERNEL,
		.run = leaked_mount,
	},
	{ .id = NULL },
};
