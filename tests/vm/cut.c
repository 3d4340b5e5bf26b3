// SPDX-License-Identifier: MIT

/*
 * Two sides of a power cut, see tests/vm/powercut.
 *
 *     cut write STORE NAME SEED MODE       creates, fills and removes layers for ever,
 *                                          and says on stdout what it is about to do
 *                                          and what the library said is done
 *     cut verify STORE NAME SEED MODE LOG DIR
 *                                          holds a store to what was said in LOG
 *                                          before the power was cut; DIR is any empty
 *                                          directory
 *
 * MODE is a durability ("commit", "always", "none"), or "unsynced": a store that
 * thinks it is durable on a machine where nothing is ever flushed, which `verify` has
 * to notice. What a layer holds follows from SEED and its id, so that `verify` makes
 * every layer a second time, beside, to compare with.
 */

#include "cleanup.h"
#include "strbuf.h"
#include "sys.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <ovl2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Layers on top of each other before a new base is begun. */
#define CHAIN 8

/* Removed layers are of this age. */
#define SPARES 4

static const char *name;
static uint64_t seed;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "cut: %s: %s: %s\n", name ? name : "", what, why);
	exit(1);
}

static void check(int r, const char *what, const struct ovl2_error *err)
{
	if (r < 0)
		die(what, err->message);
}

/* --------------------------------------------------------------------- content -- */

static uint64_t next_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;

	return z ^ (z >> 31);
}

static void add_entry(struct archive *tar, mode_t mode, const char *path, const uint64_t *bytes,
                      size_t length)
{
	struct archive_entry *entry = archive_entry_new();

	if (!entry)
		die("make a tar", "out of memory");
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)length);
	archive_entry_set_mtime(entry, 1700000000, 0);
	if (archive_write_header(tar, entry) != ARCHIVE_OK ||
	    archive_write_data(tar, bytes, length) != (la_ssize_t)length)
		die("make a tar", archive_error_string(tar));
	archive_entry_free(entry);
}

/* The tar of layer `id`, as a file in memory. */
static int make_tar(const char *id)
{
	static uint64_t content[16384];
	struct archive *tar = archive_write_new();
	int fd = memfd_create("tar", MFD_CLOEXEC);
	uint64_t state = seed;
	size_t count;

	for (const char *c = id; *c; c++)
		state = state * 131 + (unsigned char)*c;
	if (!tar || fd < 0 || archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK ||
	    archive_write_open_fd(tar, fd) != ARCHIVE_OK)
		die("make a tar", strerror(errno));

	count = 4 + next_random(&state) % 16;
	add_entry(tar, S_IFDIR | 0755, ".", NULL, 0);
	add_entry(tar, S_IFDIR | 0755, "d", NULL, 0);
	for (size_t i = 0; i < count; i++) {
		size_t words = next_random(&state) % (i ? 512 : ARRAY_SIZE(content));
		char path[64];

		for (size_t k = 0; k < words; k++)
			content[k] = next_random(&state);
		snprintf(path, sizeof(path), "d/%zu-%u", i, (unsigned int)(state % 4));
		add_entry(tar, S_IFREG | 0644, path, content, words * sizeof(*content));
	}
	/* Of some layer below, or of none: then there is nothing to delete. */
	snprintf((char *)content, sizeof(content), "d/.wh.%zu-%u", count / 2,
	         (unsigned int)(state % 4));
	add_entry(tar, S_IFREG | 0644, (const char *)content, NULL, 0);
	if (archive_write_close(tar) != ARCHIVE_OK || lseek(fd, 0, SEEK_SET) != 0)
		die("make a tar", strerror(errno));
	archive_write_free(tar);

	return fd;
}

/* ----------------------------------------------------------------------- layers -- */

/* "layer-12" stands on "layer-11", or on nothing; "spare-12" on "layer-12". */
static const char *parent_of(const char *id, char ret_parent[OVL2_ID_SIZE])
{
	unsigned long n = strtoul(strchr(id, '-') + 1, NULL, 10);

	if (strncmp(id, "spare-", 6) != 0 && n % CHAIN == 0)
		return NULL;
	snprintf(ret_parent, OVL2_ID_SIZE, "layer-%lu", strncmp(id, "spare-", 6) ? n - 1 : n);

	return ret_parent;
}

static int nothing_flushed(int fd)
{
	(void)fd;

	return 0;
}

static struct ovl2_store *open_store(const char *path, const char *mode, const char *run)
{
	const int is_unsynced = !strcmp(mode, "unsynced");
	struct ovl2_store_options options = { .size = sizeof(options), .run_directory = run };
	cleanup_free char *text = NULL;
	struct ovl2_store *store = NULL;
	struct ovl2_error err = { 0 };

	if (asprintf(&text, "durability=%s", is_unsynced ? "commit" : mode) < 0)
		die("open the store", "out of memory");
	check(ovl2_store_options_parse(text, &options, &err), "read options", &err);
	check(ovl2_store_open(path, &options, &store, &err), "open the store", &err);

	/* The store itself is there; what comes is not. */
	if (is_unsynced)
		ovi_sys.syncfs = ovi_sys.fsync = nothing_flushed;

	return store;
}

/* One line, in one write: others write to the same place. */
static void say(const char *what, const char *id)
{
	char line[OVL2_ID_SIZE + 64];
	int length = snprintf(line, sizeof(line), "%s %s %s\n", name, what, id);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		die("say what is done", strerror(errno));
}

static void create(struct ovl2_store *store, const char *id)
{
	char parent[OVL2_ID_SIZE];
	const struct ovl2_layer_options options = {
		.size = sizeof(options),
		.parent = parent_of(id, parent),
	};
	struct ovl2_error err = { 0 };

	check(ovl2_layer_create(store, id, &options, &err), id, &err);
}

static void apply(struct ovl2_store *store, const char *id)
{
	cleanup_fd int tar = make_tar(id);
	struct ovl2_error err = { 0 };

	check(ovl2_layer_apply(store, id, NULL, tar, NULL, &err), id, &err);
}

static void make_aloud(struct ovl2_store *store, const char *id)
{
	say("creating", id);
	create(store, id);
	say("created", id);
	say("applying", id);
	apply(store, id);
	say("applied", id);
}

__attribute__((noreturn)) static void write_for_ever(const char *path, const char *mode)
{
	struct ovl2_store *store = open_store(path, mode, NULL);
	struct ovl2_error err = { 0 };
	char id[OVL2_ID_SIZE];

	say("ready", mode);
	for (unsigned long n = 0;; n++) {
		snprintf(id, sizeof(id), "layer-%lu", n);
		make_aloud(store, id);
		snprintf(id, sizeof(id), "spare-%lu", n);
		make_aloud(store, id);
		if (n < SPARES)
			continue;
		snprintf(id, sizeof(id), "spare-%lu", n - SPARES);
		say("removing", id);
		check(ovl2_layer_remove(store, id, &err), id, &err);
		say("removed", id);
	}
}

/* ----------------------------------------------------------------------- verify -- */

enum state { CREATING, CREATED, APPLYING, APPLIED, REMOVING, REMOVED };

static const char *const state_names[] = {
	[CREATING] = "creating", [CREATED] = "created",   [APPLYING] = "applying",
	[APPLIED] = "applied",   [REMOVING] = "removing", [REMOVED] = "removed",
};

/* What was said last of a layer. */
struct claim {
	char id[OVL2_ID_SIZE];
	enum state state;
	int was_seen;
};

static struct claim *claims;
static size_t claim_count;
static size_t lost_count;
static size_t wrong_count;

static struct claim *find_claim(const char *id)
{
	for (size_t i = claim_count; i-- > 0;)
		if (!strcmp(claims[i].id, id))
			return &claims[i];

	return NULL;
}

static void take_claim(const char *what, const char *id)
{
	struct claim *claim = find_claim(id);
	size_t state = 0;

	while (state < ARRAY_SIZE(state_names) && strcmp(state_names[state], what) != 0)
		state++;
	if (state == ARRAY_SIZE(state_names))
		return;
	if (!claim) {
		claims = realloc(claims, (claim_count + 1) * sizeof(*claims));
		if (!claims)
			die("read the log", "out of memory");
		claim = &claims[claim_count++];
		*claim = (struct claim){ 0 };
		snprintf(claim->id, sizeof(claim->id), "%s", id);
	}
	claim->state = (enum state)state;
}

/* A last line that the cut tore was never said. */
static void read_log(const char *path)
{
	cleanup_free char *line = NULL;
	FILE *log = fopen(path, "re");
	size_t room = 0;
	ssize_t length;

	if (!log)
		die(path, strerror(errno));
	while ((length = getline(&line, &room, log)) > 0) {
		char whose[OVL2_ID_SIZE];
		char what[OVL2_ID_SIZE];
		char id[OVL2_ID_SIZE];

		if (line[length - 1] == '\n' &&
		    sscanf(line, "%128s %128s %128s", whose, what, id) == 3 && !strcmp(whose, name))
			take_claim(what, id);
	}
	fclose(log);
}

static int take_diff(struct ovl2_store *store, const char *id, struct ovl2_error *err)
{
	int fd = memfd_create("diff", MFD_CLOEXEC);

	if (fd < 0)
		die("take a diff", strerror(errno));
	if (ovl2_layer_diff(store, id, NULL, fd, err) == 0)
		return fd;
	close(fd);

	return -1;
}

static int is_same(int one, int other)
{
	char bytes[2][65536];
	off_t at = 0;

	for (;;) {
		ssize_t length = pread(one, bytes[0], sizeof(bytes[0]), at);

		if (length != pread(other, bytes[1], sizeof(bytes[1]), at) || length < 0 ||
		    memcmp(bytes[0], bytes[1], (size_t)length) != 0)
			return 0;
		if (length == 0)
			return 1;
		at += length;
	}
}

static void complain(const char *id, const char *what)
{
	printf("%s: layer '%s': %s\n", name, id, what);
	wrong_count++;
}

/* Mounts, and holds what it held: `model` has the same layer, with and without. */
static void verify_content(struct ovl2_store *store, struct ovl2_store *model,
                           const struct claim *claim)
{
	const int may_be_whole = claim->state != CREATING && claim->state != CREATED;
	const int may_be_empty = claim->state <= APPLYING;
	struct ovl2_error err = { 0 };
	cleanup_fd int found = -1;
	cleanup_fd int whole = -1;
	uint64_t bytes = 0;

	if (ovl2_layer_mount(store, claim->id, NULL, NULL, &err) < 0 ||
	    ovl2_layer_unmount(store, claim->id, &err) < 0) {
		complain(claim->id, err.message);
		return;
	}
	found = take_diff(store, claim->id, &err);
	if (found < 0) {
		complain(claim->id, err.message);
		return;
	}
	if (may_be_empty && ovl2_layer_diff_size(store, claim->id, NULL, &bytes, &err) == 0 &&
	    bytes == 0)
		return;

	whole = take_diff(model, claim->id, &err);
	if (!may_be_whole || whole < 0 || !is_same(found, whole))
		complain(claim->id, "its content is not what was applied");
}

static int verify_layer(void *data, const struct ovl2_layer_info *layer)
{
	struct claim *claim = find_claim(layer->id);

	(void)data;
	if (!claim)
		complain(layer->id, "nobody created it");
	else
		claim->was_seen = 1;

	return 0;
}

static void verify_presence(const struct claim *claim, const char *mode)
{
	const int may_be_missing = claim->state == CREATING || claim->state >= REMOVING;

	if (!claim->was_seen && !may_be_missing) {
		printf("%s: layer '%s': it was %s and is not there\n", name, claim->id,
		       state_names[claim->state]);
		lost_count++;
	}
	if (claim->was_seen && claim->state == REMOVED && !strcmp(mode, "always"))
		complain(claim->id, "it was removed and is there");
}

/* Every layer anew, in the order in which they were made. */
static struct ovl2_store *make_model(const char *path)
{
	cleanup_free char *home = NULL;
	cleanup_free char *run = NULL;
	struct ovl2_store *model;

	if (asprintf(&home, "%s/model", path) < 0 || asprintf(&run, "%s/model-run", path) < 0)
		die("make a model", "out of memory");
	model = open_store(home, "none", run);
	for (size_t i = 0; i < claim_count; i++) {
		create(model, claims[i].id);
		apply(model, claims[i].id);
	}

	return model;
}

static size_t count_entries(const char *store, const char *directory)
{
	cleanup_free char *path = NULL;
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	size_t count = 0;

	if (asprintf(&path, "%s/.ovl2/%s", store, directory) < 0 || !(dir = opendir(path)))
		die("look for leftovers", strerror(errno));
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';

	return count;
}

static int verify(const char *path, const char *mode, const char *log, const char *area)
{
	cleanup_free char *run = NULL;
	struct ovl2_store *model;
	struct ovl2_store *store;
	struct ovl2_error err = { 0 };

	/* All that is mounted or made here goes with the process. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", area, "tmpfs", 0, NULL) < 0 || asprintf(&run, "%s/run", area) < 0)
		die("make a place to work in", strerror(errno));
	read_log(log);
	model = make_model(area);
	store = open_store(path, !strcmp(mode, "unsynced") ? "commit" : mode, run);

	if (ovl2_store_list(store, verify_layer, NULL, &err) < 0)
		complain("*", err.message);
	for (size_t i = 0; i < claim_count; i++) {
		verify_presence(&claims[i], mode);
		if (claims[i].was_seen)
			verify_content(store, model, &claims[i]);
	}
	if (count_entries(path, "staging") || count_entries(path, "trash"))
		complain("*", "what was unfinished was not collected");
	ovl2_store_close(store);
	ovl2_store_close(model);

	printf("%s: %zu layers spoken of, %zu lost, %zu wrong\n", name, claim_count, lost_count,
	       wrong_count);
	free(claims);

	return lost_count || wrong_count;
}

int main(int argc, char **argv)
{
	const int is_verify = argc == 8 && !strcmp(argv[1], "verify");

	if (!is_verify && (argc != 6 || strcmp(argv[1], "write") != 0)) {
		fputs("usage: cut write STORE NAME SEED MODE\n"
		      "       cut verify STORE NAME SEED MODE LOG DIR\n",
		      stderr);
		return 64;
	}
	name = argv[3];
	seed = strtoull(argv[4], NULL, 10);

	if (is_verify)
		return verify(argv[2], argv[5], argv[6], argv[7]);
	write_for_ever(argv[2], argv[5]);
}
