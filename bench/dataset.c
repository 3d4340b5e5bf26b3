#include "dataset.h"

#include "cleanup.h"
#include "fail.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define SMALL_BYTES 4096
#define SMALL_PER_DIRECTORY 100
#define BIG_BYTES (5u << 20)

/*
 * Files of more than this part of the whole are left out: a few browsers and
 * compilers would be most of the bytes and hardly any of the files.
 */
#define GIANT_PART 64

/* Deeper is not worth it for a sample of what a filesystem holds. */
#define MAX_TREE_DEPTH 24

/* How much of each shape. */
struct amount {
	unsigned int small_count;
	unsigned int big_count;
	unsigned int big_bytes;
	unsigned int real_count;
	uint64_t real_bytes;
};

static const struct amount amounts[] = {
	[BENCH_TIER_QUICK] = { 2000, 20, BIG_BYTES, 3000, 96ull << 20 },
	[BENCH_TIER_FULL] = { 20000, 200, BIG_BYTES, 24000, 1ull << 30 },
	[BENCH_TIER_SMOKE] = { 20, 2, 64u << 10, 30, 1ull << 20 },
	/* Nothing of this machine's. */
	[BENCH_TIER_EXACT] = { 200, 4, 1u << 20, 0, 0 },
};

/* --------------------------------------------------------- made-up content -- */

/* Bytes that do not repeat, so that no filesystem can shorten or share them. */
static void fill(uint64_t *words, size_t count, uint64_t *random)
{
	for (size_t i = 0; i < count; i++) {
		*random ^= *random << 13;
		*random ^= *random >> 7;
		*random ^= *random << 17;
		words[i] = *random;
	}
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0)
			return -1;
		bytes += written;
		size -= (size_t)written;
	}

	return 0;
}

static int write_file(const char *path, uint64_t *random, size_t size, struct ovl2_error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	uint64_t words[SMALL_BYTES / sizeof(uint64_t)];

	if (fd < 0)
		return ovi_fail_errno(err, "create '%s'", path);
	for (size_t done = 0; done < size; done += sizeof(words)) {
		fill(words, ARRAY_SIZE(words), random);
		if (write_all(fd, (const char *)words, sizeof(words)) < 0)
			return ovi_fail_errno(err, "write '%s'", path);
	}

	return 0;
}

/* `count` files of `size` bytes, a multiple of SMALL_BYTES. */
static int make_files(struct dataset *dataset, unsigned int count, size_t size,
                      struct ovl2_error *err)
{
	uint64_t random = size;
	char path[PATH_MAX];

	for (unsigned int i = 0; i < count; i++) {
		unsigned int directory = i / SMALL_PER_DIRECTORY;
		int r;

		snprintf(path, sizeof(path), "%s/%03u", dataset->upper, directory);
		if (i % SMALL_PER_DIRECTORY == 0 && mkdir(path, 0755) < 0)
			return ovi_fail_errno(err, "create '%s'", path);
		snprintf(path, sizeof(path), "%s/%03u/file-%05u", dataset->upper, directory, i);
		r = write_file(path, &random, size, err);
		if (r < 0)
			return r;
		dataset->files++;
		dataset->bytes += size;
	}

	return 0;
}

/* ------------------------------------------------------------ of one kind -- */

#define XATTRS_A_FILE 8
#define LINKS_A_FILE 100
#define SPARSE_BYTES (1u << 20)

static int make_whiteout(int dir, const char *name, unsigned int number)
{
	(void)number;

	return mknodat(dir, name, S_IFCHR, 0);
}

/* Like /dev/null, and no more of a danger: nobody opens it. */
static int make_device(int dir, const char *name, unsigned int number)
{
	return mknodat(dir, name, S_IFCHR | 0600, makedev(1, 3 + number % 6));
}

static int make_attributes(int dir, const char *name, unsigned int number)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char attribute[32];

	if (fd < 0)
		return -1;
	for (unsigned int i = 0; i < XATTRS_A_FILE; i++) {
		snprintf(attribute, sizeof(attribute), "trusted.bench.%u", i);
		if (fsetxattr(fd, attribute, &number, sizeof(number), 0) < 0)
			return -1;
	}

	return 0;
}

/* The first of each hundred is the file; empty, so that no name has bytes of its own. */
static int make_hard_link(int dir, const char *name, unsigned int number)
{
	char first[32];

	if (number % LINKS_A_FILE == 0) {
		cleanup_fd int fd =
			openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		return fd < 0 ? -1 : 0;
	}
	snprintf(first, sizeof(first), "entry-%05u", number - number % LINKS_A_FILE);

	return linkat(dir, first, dir, name, 0);
}

/* One block in the middle of a hole. */
static int make_sparse(int dir, const char *name, unsigned int number)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char block[SMALL_BYTES];

	if (fd < 0)
		return -1;
	memset(block, 'a' + (int)(number % 26), sizeof(block));
	if (pwrite(fd, block, sizeof(block), SPARSE_BYTES / 2) != (ssize_t)sizeof(block))
		return -1;

	return ftruncate(fd, SPARSE_BYTES);
}

static const struct shape {
	const char *name;
	int (*make)(int dir, const char *name, unsigned int number);
	unsigned int bytes;

	/* One of them where there are that many small files. */
	unsigned int share;
} shapes[] = {
	{ "whiteouts", make_whiteout, 0, 1 },        { "devices", make_device, 0, 1 },
	{ "xattrs", make_attributes, 0, 1 },         { "hard links", make_hard_link, 0, 1 },
	{ "sparse", make_sparse, SPARSE_BYTES, 20 },
};

static const struct shape *find_shape(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];

	return NULL;
}

static int make_shape(struct dataset *dataset, const struct shape *shape, unsigned int count,
                      struct ovl2_error *err)
{
	cleanup_fd int dir = open(dataset->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[32];

	if (dir < 0)
		return ovi_fail_errno(err, "open '%s'", dataset->upper);
	for (unsigned int i = 0; i < count / shape->share; i++) {
		snprintf(name, sizeof(name), "entry-%05u", i);
		if (shape->make(dir, name, i) < 0)
			return ovi_fail_errno(err, "create '%s'", name);
		dataset->files++;
		dataset->bytes += shape->bytes;
	}

	return 0;
}

/* ------------------------------------------------------- this machine's own -- */

struct copy {
	struct dataset *dataset;
	const struct amount *amount;
	struct ovl2_error *err;
};

static int copy_body(const struct copy *copy, int from, int to, const char *name, uint64_t size)
{
	cleanup_fd int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char buffer[32768];
	ssize_t length;

	if (source < 0 || target < 0)
		return ovi_fail_errno(copy->err, "copy '%s'", name);
	while ((length = read(source, buffer, sizeof(buffer))) > 0)
		if (write_all(target, buffer, (size_t)length) < 0)
			return ovi_fail_errno(copy->err, "copy '%s'", name);
	if (length < 0)
		return ovi_fail_errno(copy->err, "read '%s'", name);

	copy->dataset->files++;
	copy->dataset->bytes += size;

	return 0;
}

static int copy_link(const struct copy *copy, int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return ovi_fail_errno(copy->err, "read the link '%s'", name);
	target[length] = '\0';
	if (symlinkat(target, to, name) < 0)
		return ovi_fail_errno(copy->err, "copy the link '%s'", name);
	copy->dataset->files++;

	return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int is_full(const struct copy *copy)
{
	return copy->dataset->files >= copy->amount->real_count ||
	       copy->dataset->bytes >= copy->amount->real_bytes;
}

static int copy_tree(const struct copy *copy, int from, int to, int depth);

static int copy_entry(const struct copy *copy, int from, int to, const char *name, int depth)
{
	cleanup_fd int source = -1;
	cleanup_fd int target = -1;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ovi_fail_errno(copy->err, "look at '%s'", name);
	if (S_ISLNK(st.st_mode))
		return copy_link(copy, from, to, name);
	if (S_ISREG(st.st_mode)) {
		if ((uint64_t)st.st_size > copy->amount->real_bytes / GIANT_PART)
			return 0;
		return copy_body(copy, from, to, name, (uint64_t)st.st_size);
	}
	if (!S_ISDIR(st.st_mode) || depth >= MAX_TREE_DEPTH)
		return 0;

	source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (source < 0 || mkdirat(to, name, 0755) < 0)
		return ovi_fail_errno(copy->err, "copy the directory '%s'", name);
	target = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return ovi_fail_errno(copy->err, "open the directory '%s'", name);

	return copy_tree(copy, source, target, depth + 1);
}

/* Sorted, so that one machine always has the same data set. */
static int copy_tree(const struct copy *copy, int from, int to, int depth)
{
	struct dirent **names = NULL;
	int count = scandirat(from, ".", &names, is_entry, compare_names);
	int r = 0;

	if (count < 0)
		return ovi_fail_errno(copy->err, "list a directory to copy");
	for (int i = 0; i < count; i++) {
		if (r == 0 && !is_full(copy))
			r = copy_entry(copy, from, to, names[i]->d_name, depth);
		free(names[i]);
	}
	free(names);

	return r;
}

/* Each is copied in turn until there is enough. */
static int make_real(struct dataset *dataset, const struct amount *amount, struct ovl2_error *err)
{
	static const char *const sources[] = { "/usr/lib", "/usr/share", "/usr/bin" };
	const struct copy copy = { dataset, amount, err };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(sources) && !is_full(&copy); i++) {
		cleanup_fd int from = open(sources[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_fd int to = -1;
		int r;

		if (from < 0)
			continue;
		snprintf(path, sizeof(path), "%s/%zu", dataset->upper, i);
		if (mkdir(path, 0755) < 0)
			return ovi_fail_errno(err, "create '%s'", path);
		to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (to < 0)
			return ovi_fail_errno(err, "open '%s'", path);
		r = copy_tree(&copy, from, to, 0);
		if (r < 0)
			return ovi_fail_within(err, r, "copy '%s'", sources[i]);
	}
	if (dataset->files == 0)
		return ovi_fail(err, OVL2_E_UNSUPPORTED, "there is nothing in /usr to copy");

	return 0;
}

/* -------------------------------------------------------------- the layers -- */

static int set_time(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000000000 } };

	(void)st;
	(void)type;
	(void)ftw;

	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

/* A time is as long in a tar as it has digits: where it counts they are always the same. */
static int fix_times(const struct dataset *dataset, struct ovl2_error *err)
{
	if (nftw(dataset->upper, set_time, 16, FTW_PHYS | FTW_DEPTH) != 0)
		return ovi_fail_errno(err, "set times below '%s'", dataset->upper);

	return 0;
}

static int make(struct place *place, struct dataset *dataset, struct ovl2_error *err)
{
	const struct amount *amount = &amounts[place->tier];
	const struct shape *shape = find_shape(dataset->name);
	int r;

	r = place_create_layer(place, 1, dataset->id, err);
	if (r == 0)
		r = place_find_upper(place, dataset->id, &dataset->upper, err);
	if (r < 0)
		return r;

	if (shape)
		r = make_shape(dataset, shape, amount->small_count, err);
	else if (strcmp(dataset->name, "small") == 0)
		r = make_files(dataset, amount->small_count, SMALL_BYTES, err);
	else if (strcmp(dataset->name, "big") == 0)
		r = make_files(dataset, amount->big_count, amount->big_bytes, err);
	else
		r = make_real(dataset, amount, err);
	if (r == 0 && place->tier == BENCH_TIER_EXACT)
		r = fix_times(dataset, err);
	if (r < 0)
		return ovi_fail_within(err, r, "make the data set '%s'", dataset->name);

	return place_settle(place, err);
}

int dataset_find(struct place *place, const char *name, struct dataset **ret_dataset,
                 struct ovl2_error *err)
{
	struct dataset *dataset;
	int r;

	for (dataset = place->datasets; dataset; dataset = dataset->next)
		if (strcmp(dataset->name, name) == 0) {
			*ret_dataset = dataset;
			return 0;
		}

	dataset = calloc(1, sizeof(*dataset));
	if (!dataset)
		return ovi_fail_memory(err);
	dataset->name = name;
	dataset->tar = -1;

	r = make(place, dataset, err);
	if (r < 0) {
		datasets_free(dataset);
		return r;
	}
	dataset->next = place->datasets;
	place->datasets = dataset;
	*ret_dataset = dataset;

	return 0;
}

int dataset_archive(struct place *place, struct dataset *dataset, struct ovl2_error *err)
{
	cleanup_fd int tar = -1;
	off_t end;
	int r;

	if (dataset->tar >= 0)
		return 0;

	tar = openat(place->root, "tar", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (tar < 0 || unlinkat(place->root, "tar", 0) < 0)
		return ovi_fail_errno(err, "create a tar in '%s'", PLACE_ROOT);
	r = ovl2_layer_diff(place->store, dataset->id, NULL, tar, err);
	if (r < 0)
		return r;
	end = lseek(tar, 0, SEEK_END);
	if (end < 0)
		return ovi_fail_errno(err, "measure a tar in '%s'", PLACE_ROOT);
	dataset->tar_bytes = (uint64_t)end;
	dataset->tar = steal_fd(&tar);

	return place_settle(place, err);
}

void datasets_free(struct dataset *list)
{
	while (list) {
		struct dataset *next = list->next;

		ovi_close_fd(&list->tar);
		free(list->upper);
		free(list);
		list = next;
	}
}
