#include "support/test.h"

#include "image.h"
#include "loops.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

/* The image leaves nothing, whatever becomes of the process that has it. */

#define IMAGE_BYTES (512ull << 20)

struct kind {
	const char *filesystem;
	unsigned long magic;
};

static const struct kind kinds[] = {
	{ "xfs", 0x58465342 },
	{ "ext4", 0xef53 },
	{ "btrfs", 0x9123683e },
	{ "tmpfs", 0x01021994 },
};

/* An image in the place, and in it the directory that it is mounted on. */
static char *make_mount_point(const struct test_place *place)
{
	assert_sys(mkdirat(place->fd, "mounted", 0700));

	return test_path("%s/mounted", place->path);
}

static struct image *open_image(const char *filesystem, const struct test_place *place,
                                const char *mount_point)
{
	const struct image_options options = {
		.filesystem = filesystem,
		.bytes = IMAGE_BYTES,
		.mount_point = mount_point,
		.directory = place->path,
	};
	struct ovl2_error err = { 0 };
	struct image *image = NULL;

	if (!image_can_make(filesystem))
		test_skip("there is no mkfs for %s", filesystem);
	assert_ok(image_open(&options, &image, &err), &err);

	return image;
}

static void image_is_of_its_kind_and_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	const struct kind *kind = place->row;
	char *mount_point = make_mount_point(place);
	struct image *image = open_image(kind->filesystem, place, mount_point);
	char *path = test_path("%s/file", mount_point);
	struct statfs fs;
	int fd;

	assert_sys(statfs(mount_point, &fs));
	assert_int_equal(fs.f_type, kind->magic);
	assert_true((uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize <= IMAGE_BYTES);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_sys(fd);
	close(fd);
	free(path);

	image_close(image);
	assert_false(test_is_mounted(mount_point));
	loops_assert_gone(place->path);
	free(mount_point);
}

static void open_file_delays_the_end_and_does_not_prevent_it(void **state)
{
	struct test_place *place = *state;
	char *mount_point = make_mount_point(place);
	struct image *image = open_image("ext4", place, mount_point);
	int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_sys(fd);
	image_close(image);
	assert_false(test_is_mounted(mount_point));
	assert_int_equal(loops_count(place->path), 1);
	close(fd);
	loops_assert_gone(place->path);
	free(mount_point);
}

static void options_reach_mkfs_and_mount(void **state)
{
	/* Blocks for root alone, in percent: free, and not available to others. */
	static const char *const reserved[] = { "-m", "30", NULL };
	struct test_place *place = *state;
	char *mount_point = make_mount_point(place);
	const struct image_options options = {
		.filesystem = "ext4",
		.bytes = IMAGE_BYTES,
		.mkfs_options = reserved,
		.mount_options = "noauto_da_alloc,nosuchoption",
		.mount_point = mount_point,
		.directory = place->path,
	};
	struct image_options accepted = options;
	struct ovl2_error err = { 0 };
	struct image *image = NULL;
	struct statfs fs;

	assert_true(image_open(&options, &image, &err) < 0);
	assert_contains(err.message, "ext4");

	accepted.mount_options = "noauto_da_alloc";
	assert_ok(image_open(&accepted, &image, &err), &err);
	assert_sys(statfs(mount_point, &fs));
	assert_true((fs.f_bfree - fs.f_bavail) * 100 >= fs.f_blocks * 30);
	image_close(image);
	loops_assert_gone(place->path);
	free(mount_point);
}

static void mkfs_complaint_is_in_the_error(void **state)
{
	static const char *const nonsense[] = { "--nonsense", NULL };
	struct test_place *place = *state;
	const struct image_options options = {
		.filesystem = "ext4",
		.bytes = IMAGE_BYTES,
		.mkfs_options = nonsense,
		.mount_point = place->path,
		.directory = place->path,
	};
	struct ovl2_error err = { 0 };
	struct image *image = NULL;

	assert_fails(image_open(&options, &image, &err), OVL2_E_SYSTEM, &err);
	assert_contains(err.message, "mkfs.ext4");
	assert_null(image);
	loops_assert_gone(place->path);
}

static void too_little_room_is_told_before_anything_is_made(void **state)
{
	struct test_place *place = *state;
	const struct image_options options = {
		.filesystem = "xfs",
		.bytes = 1ull << 60,
		.mount_point = place->path,
		.directory = place->path,
	};
	struct ovl2_error err = { 0 };
	struct image *image = NULL;

	assert_fails(image_open(&options, &image, &err), OVL2_E_SYSTEM, &err);
	assert_int_equal(err.sys, ENOSPC);
	assert_contains(err.message, "MiB free");
	assert_contains(err.message, "TMPDIR");
}

static void unknown_filesystem_is_named(void **state)
{
	struct test_place *place = *state;
	const struct image_options options = { .filesystem = "nosuchfs",
		                               .mount_point = place->path };
	struct ovl2_error err = { 0 };
	struct image *image = NULL;

	assert_fails(image_open(&options, &image, &err), OVL2_E_INVALID, &err);
	assert_contains(err.message, "nosuchfs");
	assert_false(image_can_make("nosuchfs"));
}

/* A process with an image of its own, that is then killed. */
static void kill_leaves_nothing(void **state)
{
	struct test_place *place = *state;
	char *mount_point = make_mount_point(place);
	char byte;
	int ends[2];
	pid_t child;
	int status;

	assert_sys(pipe2(ends, O_CLOEXEC));
	child = fork();
	assert_sys(child);
	if (child == 0) {
		struct ovl2_error err = { 0 };

		if (image_enter_namespace(&err) == 0) {
			open_image("xfs", place, mount_point);
			(void)!write(ends[1], "x", 1);
		}
		for (;;)
			pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(loops_count(place->path), 1);
	assert_false(test_is_mounted(mount_point));

	assert_sys(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(ends[0]);
	loops_assert_gone(place->path);
	free(mount_point);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(kinds) + 6];
	size_t count = 0;

	for (; count < ARRAY_SIZE(kinds); count++)
		tests[count] = test_case(kinds[count].filesystem,
		                         image_is_of_its_kind_and_leaves_nothing, &kinds[count]);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(
		open_file_delays_the_end_and_does_not_prevent_it);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(options_reach_mkfs_and_mount);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(mkfs_complaint_is_in_the_error);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(
		too_little_room_is_told_before_anything_is_made);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(unknown_filesystem_is_named);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(kill_leaves_nothing);

	test_enter_namespace();
	return test_run("image", tests, count, argc, argv);
}
