// SPDX-License-Identifier: MIT
#include "sys.h"

#include <ovl2.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * libFuzzer's target for the whole of apply: the bytes are a tar, which goes into a
 * layer on a tmpfs that only this process sees. Beside the sanitizers' findings it is
 * a finding when what lies beside the store changes, or when a refused tar leaves
 * something in the layer.
 */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Exists everywhere, and what is on it is nobody's that runs this. */
static const char root[] = "/mnt";
static struct ovl2_store *store;
static struct stat victim_before;

static void die(const char *what)
{
	perror(what);
	abort();
}

/* On a mount that only this process has, so that nothing is left of it. */
static void enter_place(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("unshare: fuzzing apply needs root");
	if (mount("tmpfs", root, "tmpfs", 0, "size=256m,nr_inodes=200000") < 0)
		die("mount");
	if (chdir(root) < 0)
		die("chdir");
	if (mkdir("victim", 0700) < 0 || mkdir("victim/inside", 0700) < 0)
		die("mkdir");
	if (stat("victim", &victim_before) < 0)
		die("stat");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ovl2_store_options options = { .size = sizeof(options) };
	struct ovl2_error err = { 0 };
	char path[64];
	char run[64];

	(void)argc;
	(void)argv;
	enter_place();
	snprintf(path, sizeof(path), "%s/store", root);
	snprintf(run, sizeof(run), "%s/run", root);
	options.run_directory = run;
	options.durability = OVL2_DURABILITY_NONE;
	if (ovl2_store_open(path, &options, &store, &err) < 0 ||
	    ovl2_layer_create(store, "below", NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}

	return 0;
}

static void check_victim(void)
{
	struct stat now;

	if (stat("victim", &now) < 0 || now.st_mode != victim_before.st_mode ||
	    now.st_uid != victim_before.st_uid || now.st_nlink != victim_before.st_nlink ||
	    now.st_mtim.tv_sec != victim_before.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != victim_before.st_mtim.tv_nsec) {
		fprintf(stderr, "the directory beside the store has changed\n");
		abort();
	}
}

static void check_empty(void)
{
	if (rmdir("store/layer/diff") < 0 || mkdir("store/layer/diff", 0755) < 0)
		die("a tar was refused, and the layer");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const struct ovl2_layer_options layer = { .size = sizeof(layer), .parent = "below" };
	/* A sparse file or a compressed one may be large without being a finding. */
	const struct ovl2_apply_options options = {
		.size = sizeof(options),
		.max_bytes = 16 << 20,
		.max_entries = 2000,
	};
	struct ovl2_error err = { 0 };
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0)
		die("memfd");
	if (ovl2_layer_create(store, "layer", &layer, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	if (ovl2_layer_apply(store, "layer", &options, fd, NULL, &err) < 0)
		check_empty();
	close(fd);
	check_victim();
	if (ovl2_layer_remove(store, "layer", &err) < 0) {
		fprintf(stderr, "remove: %s\n", err.message);
		abort();
	}

	return 0;
}
