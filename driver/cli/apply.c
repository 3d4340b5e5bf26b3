#include "command.h"

#include "cleanup.h"
#include "progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As many as a user namespace has at most: user_namespaces(7). */
#define MAX_RANGES 340

enum {
	KEY_MAX_ENTRIES = KEY_OWN,
	KEY_MAX_BYTES,
	KEY_MAX_DEPTH,
	KEY_UID_MAP,
	KEY_GID_MAP,
	KEY_PROGRESS
};

static const struct cli_option apply_options[] = {
	{ "max-entries", KEY_MAX_ENTRIES, "COUNT", "fail when the tar has more" },
	{ "max-bytes", KEY_MAX_BYTES, "SIZE", "fail when its files are larger in all, as 10G" },
	{ "max-depth", KEY_MAX_DEPTH, "COUNT", "fail when a name has more components" },
	{ "uid-map", KEY_UID_MAP, "RANGE",
	  "who its owners are here, CONTAINER:HOST:COUNT; may be repeated" },
	{ "gid-map", KEY_GID_MAP, "RANGE", "the same of groups" },
	PROGRESS_OPTION,
	COMMON_OPTIONS,
	END_OF_OPTIONS,
};

struct id_map {
	struct ovl2_id_range ranges[MAX_RANGES];
	size_t count;
};

struct apply_request {
	struct ovl2_apply_options options;
	struct ovl2_apply_counts counts;
	struct id_map uids;
	struct id_map gids;
	const char *when;
	struct progress progress;
};

static uint64_t parse_bytes(const struct command *command, const char *text)
{
	struct ovl2_layer_options options = { .size = sizeof(options) };
	char size[64];

	snprintf(size, sizeof(size), "size=%s", text);
	if (ovl2_layer_options_parse(size, &options, NULL) < 0)
		cli_usage_error(&command->program, "'%s' is not a size, as 512M", text);

	return options.quota_bytes;
}

/* "0:100000:65536" */
static void add_range(const struct command *command, const char *text, struct id_map *map)
{
	unsigned long long numbers[3] = { 0 };
	const char *at = text;
	int is_good = 1;

	for (size_t i = 0; i < ARRAY_SIZE(numbers) && is_good; i++) {
		char *end = NULL;

		is_good = *at >= '0' && *at <= '9';
		numbers[i] = strtoull(at, &end, 10);
		is_good &= numbers[i] <= UINT32_MAX && *end == (i < 2 ? ':' : '\0');
		at = end + 1;
	}
	if (!is_good || !numbers[2])
		cli_usage_error(&command->program, "'%s' is not a range, as 0:100000:65536", text);
	if (map->count == MAX_RANGES)
		cli_usage_error(&command->program,
		                "'%s' is one more range than the %d there can be", text,
		                MAX_RANGES);
	map->ranges[map->count++] = (struct ovl2_id_range){
		.container = (uint32_t)numbers[0],
		.host = (uint32_t)numbers[1],
		.count = (uint32_t)numbers[2],
	};
}

static void parse_apply(const struct command *command, struct context *context, int argc,
                        char **argv, struct apply_request *request)
{
	struct ovl2_apply_options *options = &request->options;
	int key;

	while ((key = take_option(command, context, argc, argv)) >= 0) {
		if (key == KEY_MAX_ENTRIES)
			options->max_entries = parse_number(command, optarg, UINT64_MAX);
		else if (key == KEY_MAX_BYTES)
			options->max_bytes = parse_bytes(command, optarg);
		else if (key == KEY_MAX_DEPTH)
			options->max_depth = (uint32_t)parse_number(command, optarg, UINT32_MAX);
		else if (key == KEY_PROGRESS)
			request->when = parse_progress(command, optarg);
		else
			add_range(command, optarg,
			          key == KEY_UID_MAP ? &request->uids : &request->gids);
	}
	options->uid_map = request->uids.ranges;
	options->uid_map_count = request->uids.count;
	options->gid_map = request->gids.ranges;
	options->gid_map_count = request->gids.count;
}

static int tell_progress(void *data, const struct ovl2_apply_counts *so_far)
{
	return progress_tell(data, so_far->entries, so_far->bytes);
}

/* -1 and a message when there is no such file. */
static int open_tar(const struct command *command, const char *path)
{
	int fd = STDIN_FILENO;
	struct stat st;

	if (!path && isatty(STDIN_FILENO))
		cli_usage_error(&command->program, "which tar? Name a file or redirect one");
	if (path && strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Reading it would say so as well, but not which. */
	if (fd > STDIN_FILENO && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		errno = EISDIR;
		fd = -1;
	}
	if (fd < 0)
		fprintf(stderr, "%s: open '%s': %s\n", command->program.name, path,
		        strerror(errno));

	return fd;
}

static int answer(const struct command *command, const struct context *context,
                  struct ovl2_store *store, const char *id, uint64_t bytes,
                  const struct ovl2_apply_counts *counts)
{
	if (context->as_json)
		return finish_json(command, store,
		                   json_pack("{ss sI sI sI sI sI}", "id", id, "bytes",
		                             (json_int_t)bytes, "entries",
		                             (json_int_t)counts->entries, "whiteouts",
		                             (json_int_t)counts->whiteouts, "content_bytes",
		                             (json_int_t)counts->bytes, "dropped_xattrs",
		                             (json_int_t)counts->dropped_xattrs));
	if (counts->dropped_xattrs)
		fprintf(stderr,
		        "%s: left out %llu extended attributes that belong to another host or that "
		        "this filesystem cannot hold\n",
		        command->program.name, (unsigned long long)counts->dropped_xattrs);
	printf("%llu\n", (unsigned long long)bytes);

	return finish(command, store, 0, NULL);
}

static int run_apply(const struct command *command, struct context *context, int argc, char **argv)
{
	struct apply_request request = { .options.size = sizeof(request.options) };
	struct ovl2_error err = { 0 };
	struct ovl2_store *store;
	uint64_t bytes = 0;
	char **operands;
	int fd;
	int r;

	parse_apply(command, context, argc, argv, &request);
	operands = take_operands(command, argc, argv, 1, 2);
	fd = open_tar(command, operands[1]);
	if (fd < 0)
		return EXIT_FAILURE;

	store = open_store(command, context);
	progress_begin(&request.progress, request.when);
	request.options.progress = tell_progress;
	request.options.progress_data = &request.progress;
	request.options.counts = &request.counts;
	r = ovl2_layer_apply(store, operands[0], &request.options, fd, &bytes, &err);
	progress_end(&request.progress);
	close(fd);
	if (r == 0)
		return answer(command, context, store, operands[0], bytes, &request.counts);

	return progress_exit(r, finish(command, store, r, &err));
}

const struct command command_apply = {
	.name = "apply",
	.title = "fill a layer from a tar",
	.program = {
		.name = "ovl2 apply",
		.usage = "[OPTION...] ID [FILE]",
		.about = "Fills an empty layer from a tar, compressed or not, and prints its size in bytes.\n"
		"What fails or is interrupted leaves it empty. Attributes of another host (trusted.*,\n"
		"security.* but for capabilities) are left out and counted; --json has entries,\n"
		"whiteouts, content_bytes and dropped_xattrs as well.",
		.options = apply_options,
		.examples = "  ovl2 apply base rootfs.tar.zst\n"
		"  ovl2 diff web | ovl2 apply copy\n"
		"  ovl2 apply --uid-map 0:100000:65536 --gid-map 0:100000:65536 base rootfs.tar\n"
		"  curl -s https://example.org/rootfs.tar.gz | ovl2 apply --max-bytes 2G --max-entries 1000000 base",
	},
	.run = run_apply,
};
