#include "memo.h"

#include "chain.h"
#include "cleanup.h"
#include "fail.h"
#include "layer.h"
#include "store.h"
#include "sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

/* Links that are known to be good. Half of the slots: a search stays short. */
#define PIN_SLOTS 4096
#define MAX_PINS 2048

/*
 * Descriptors kept of lowers, and as many of layers' own directories: what the
 * deepest two mounts need, if the process may have them. All threads together have no
 * more: what goes beyond is opened when it is needed, one at a time.
 */
#define MAX_DESCRIPTORS 1024

/* One eighth of what the process may have: it, and each of its mounts, needs some too. */
#define DESCRIPTORS_SHARE 8

struct ovi_pin {
	char link[OVI_LINK_SIZE];
	char id[OVL2_ID_SIZE];
	int fd; /* -1 when not kept open */

	/* Sets that hold it; closed by the last one once it is out of the table. */
	unsigned int users;
	int is_out;

	/* The call that met it last: meeting it again means a layer that is there twice. */
	uint64_t met;
};

/* All that one layer may be mounted on: see struct ovi_pins. */
struct ovi_pin_set {
	unsigned int users;

	struct ovi_chain chain;
	char link[OVI_LINK_SIZE];

	/* Its upper and work directory: counted as long as the set is. */
	int upper;
	int work;

	struct ovi_pin **pins; /* of the chain */
	size_t pin_count;
	int has_outsiders;  /* pins that are not in the table */
	int by_descriptor;  /* are they to be open? */
	int is_whole;       /* are they? */
	const char **names; /* of all */
	int *fds;
	size_t count;
};

struct known {
	char id[OVL2_ID_SIZE];
	struct ovi_version version;
	struct ovi_record record;
	struct ovi_chain chain;
	char link[OVI_LINK_SIZE];
	int is_settled;

	/* Its directory, when no call has it; else -1. */
	int dir;

	/* NULL until it is asked for; all its pins are in the table. */
	struct ovi_pin_set *set;
};

/* How often to find out about times: a clock tick in the middle leaves it open. */
#define MAX_TRIALS 8
#define TRIAL ".try"

struct ovi_memo {
	pthread_mutex_t lock;

	atomic_int has_fine_times;
	atomic_uint trials;
	struct known *layers[OVI_MEMO_LAYERS];

	/* All of them were checked when the directory of links was as `links`. */
	struct ovi_pin *pins[PIN_SLOTS];
	struct ovi_sighting links;
	size_t pin_count;
	uint64_t call;

	/* Descriptors of pins; of layers and of sets for themselves; so many of each. */
	size_t open_count;
	size_t own_count;
	size_t max_open;
};

/* FNV-1a */
static size_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;

	return (size_t)(value ^ (value >> 32));
}

static int is_same(const void *a, const void *b, size_t size)
{
	return memcmp(a, b, size) == 0;
}

struct ovi_memo *ovi_memo_new(void)
{
	struct ovi_memo *memo = calloc(1, sizeof(*memo));
	struct rlimit limit;

	if (!memo)
		return NULL;
	pthread_mutex_init(&memo->lock, NULL);

	memo->max_open = MAX_DESCRIPTORS;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur / DESCRIPTORS_SHARE < MAX_DESCRIPTORS)
		memo->max_open = (size_t)limit.rlim_cur / DESCRIPTORS_SHARE;

	return memo;
}

/* ------------------------------------------------------------------- layers -- */

/*
 * Before Linux 6.13 the time of a change is that of the last clock tick, 10 ms at most:
 * two changes within one look like one.
 */
#define TICK_NS 20000000LL

static int is_equal_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/*
 * Times of changes are fine if each change of a directory within one tick of the clock
 * is later than the one before, which somebody has looked at. By trying: where the
 * filesystem stamps so, a kernel can still have a call that does not, as unlink(2) in tmpfs.
 */
int ovi_memo_try_times(struct ovi_memo *memo, int dir, struct ovl2_error *err)
{
	struct timespec before;
	struct timespec after;
	struct stat looks[3];
	int is_seen;

	if (atomic_load(&memo->has_fine_times) || atomic_fetch_add(&memo->trials, 1) >= MAX_TRIALS)
		return 0;

	/* The clock that stamps files. */
	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	is_seen = ovi_sys.fstatat(dir, "", &looks[0], AT_EMPTY_PATH) == 0;
	if (ovi_sys.symlinkat(TRIAL, dir, TRIAL) < 0)
		return 0;
	is_seen &= ovi_sys.fstatat(dir, "", &looks[1], AT_EMPTY_PATH) == 0;
	if (ovi_sys.unlinkat(dir, TRIAL, 0) < 0)
		return ovi_fail_errno(err, "delete '" TRIAL "'");
	is_seen &= ovi_sys.fstatat(dir, "", &looks[2], AT_EMPTY_PATH) == 0;
	clock_gettime(CLOCK_REALTIME_COARSE, &after);

	if (is_seen && is_equal_time(&before, &after) &&
	    is_later(&looks[1].st_ctim, &looks[0].st_ctim) && is_later(&looks[1].st_ctim, &after) &&
	    is_later(&looks[2].st_ctim, &looks[1].st_ctim))
		atomic_store(&memo->has_fine_times, 1);

	return 0;
}

static uint64_t tell_fresh(const struct ovi_memo *memo, const struct timespec *changed)
{
	static atomic_ullong number;
	struct timespec now;
	int64_t age_s;

	if (atomic_load(&memo->has_fine_times))
		return 0;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	age_s = now.tv_sec - changed->tv_sec;
	if (age_s > 1 || age_s * 1000000000 + now.tv_nsec - changed->tv_nsec > TICK_NS)
		return 0;

	return atomic_fetch_add(&number, 1) + 1;
}

static int look_at(const struct ovi_memo *memo, int dir, const char *name,
                   struct ovi_sighting *ret_sighting, struct ovl2_error *err)
{
	struct stat st;

	memset(ret_sighting, 0, sizeof(*ret_sighting));
	if (ovi_sys.fstatat(dir, name, &st, *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '%s'", name);

	ret_sighting->inode = st.st_ino;
	ret_sighting->size = (uint64_t)st.st_size;
	ret_sighting->changed_s = st.st_ctim.tv_sec;
	ret_sighting->changed_ns = (uint32_t)st.st_ctim.tv_nsec;
	ret_sighting->fresh = tell_fresh(memo, &st.st_ctim);

	return 0;
}

static int read_version(struct ovi_layer *layer, struct ovl2_error *err)
{
	const struct ovi_memo *memo = layer->store->memo;
	struct ovi_version *version = &layer->version;
	int r;

	memset(version, 0, sizeof(*version));
	r = look_at(memo, layer->store->home, "l", &version->links, err);
	if (r == 0)
		r = look_at(memo, layer->dir, "", &version->own, err);
	if (r == 0)
		r = look_at(memo, layer->dir, "ovl2.json", &version->record, err);
	if (r == 0)
		r = look_at(memo, layer->dir, "link", &version->link, err);
	if (r == 0)
		r = look_at(memo, layer->dir, "lower", &version->lower, err);

	return r;
}

/* What is known of this version of the layer, or NULL. With the lock held. */
static struct known *find_known(struct ovi_memo *memo, const struct ovi_layer *layer)
{
	struct known *known = memo->layers[hash(layer->id) % OVI_MEMO_LAYERS];

	if (!known || strcmp(known->id, layer->id) != 0 ||
	    !is_same(&known->version, &layer->version, sizeof(known->version)))
		return NULL;

	return known;
}

int ovi_memo_recall(struct ovi_layer *layer, struct ovl2_error *err)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known *known;
	int r;

	r = read_version(layer, err);
	/* A foreign layer can be committed without any of these files changing. */
	if (r < 0 || !layer->version.record.inode)
		return r;

	pthread_mutex_lock(&memo->lock);
	known = find_known(memo, layer);
	if (known) {
		layer->record = known->record;
		memcpy(layer->link, known->link, sizeof(layer->link));
		ovi_chain_share(&known->chain, &layer->chain);
		layer->is_settled = known->is_settled;
		r = 1;
	}
	pthread_mutex_unlock(&memo->lock);

	return r;
}

void ovi_memo_settle(struct ovi_layer *layer)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known *known;

	layer->is_settled = 1;
	pthread_mutex_lock(&memo->lock);
	known = find_known(memo, layer);
	if (known)
		known->is_settled = 1;
	pthread_mutex_unlock(&memo->lock);
}

/* --------------------------------------------------------------------- pins -- */

static void free_pin(struct ovi_memo *memo, struct ovi_pin *pin)
{
	if (pin->fd >= 0) {
		close(pin->fd);
		memo->open_count--;
	}
	free(pin);
}

/* It is in the table no more: closed now, or by the last set that holds it. */
static void let_go(struct ovi_memo *memo, struct ovi_pin *pin)
{
	pin->is_out = 1;
	if (!pin->users)
		free_pin(memo, pin);
}

static void close_own(struct ovi_memo *memo, int fd)
{
	if (fd < 0)
		return;
	close(fd);
	memo->own_count--;
}

static void release_set(struct ovi_memo *memo, struct ovi_pin_set *set)
{
	if (!set || --set->users > 0)
		return;

	close_own(memo, set->upper);
	close_own(memo, set->work);
	for (size_t i = 0; i < set->pin_count; i++)
		if (--set->pins[i]->users == 0 && set->pins[i]->is_out)
			free_pin(memo, set->pins[i]);
	ovi_chain_release(&set->chain);
	free(set->pins);
	free(set->names);
	free(set->fds);
	free(set);
}

static void free_known(struct ovi_memo *memo, struct known *known)
{
	if (!known)
		return;
	close_own(memo, known->dir);
	release_set(memo, known->set);
	ovi_chain_release(&known->chain);
	free(known);
}

void ovi_memo_keep(const struct ovi_layer *layer)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known *known = calloc(1, sizeof(*known));
	struct known **slot;

	if (!known)
		return;
	ovi_chain_share(&layer->chain, &known->chain);
	memcpy(known->id, layer->id, sizeof(known->id));
	memcpy(known->link, layer->link, sizeof(known->link));
	known->version = layer->version;
	known->record = layer->record;
	known->is_settled = layer->is_settled;
	known->dir = -1;

	pthread_mutex_lock(&memo->lock);
	slot = &memo->layers[hash(layer->id) % OVI_MEMO_LAYERS];
	free_known(memo, *slot);
	*slot = known;
	pthread_mutex_unlock(&memo->lock);
}

void ovi_memo_keep_new(struct ovi_layer *layer)
{
	layer->is_settled = 1;
	if (read_version(layer, NULL) == 0)
		ovi_memo_keep(layer);
}

static void forget_sets(struct ovi_memo *memo)
{
	for (size_t i = 0; i < OVI_MEMO_LAYERS; i++) {
		struct known *known = memo->layers[i];

		if (!known)
			continue;
		release_set(memo, known->set);
		known->set = NULL;
	}
}

/* All that layers have for themselves. */
static void forget_own(struct ovi_memo *memo)
{
	forget_sets(memo);
	for (size_t i = 0; i < OVI_MEMO_LAYERS; i++)
		if (memo->layers[i])
			close_own(memo, steal_fd(&memo->layers[i]->dir));
}

static struct known *find_by_id(struct ovi_memo *memo, const char *id)
{
	struct known *known = memo->layers[hash(id) % OVI_MEMO_LAYERS];

	return known && strcmp(known->id, id) == 0 ? known : NULL;
}

int ovi_memo_take_dir(struct ovl2_store *store, const char *id)
{
	struct ovi_memo *memo = store->memo;
	struct known *known;
	int dir = -1;

	if (!ovi_store_is_own(store))
		return -1;

	pthread_mutex_lock(&memo->lock);
	known = find_by_id(memo, id);
	if (known && known->dir >= 0) {
		dir = steal_fd(&known->dir);
		memo->own_count--;
	}
	pthread_mutex_unlock(&memo->lock);

	return dir;
}

int ovi_memo_keep_dir(const struct ovi_layer *layer)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known *known;
	int is_kept;

	if (!ovi_store_is_own(layer->store))
		return 0;

	pthread_mutex_lock(&memo->lock);
	known = find_by_id(memo, layer->id);
	if (memo->own_count >= memo->max_open)
		forget_own(memo);
	is_kept = known && known->dir < 0 && memo->own_count < memo->max_open;
	if (is_kept) {
		known->dir = layer->dir;
		memo->own_count++;
	}
	pthread_mutex_unlock(&memo->lock);

	return is_kept;
}

/* The slot of this link, or the free one where it belongs. Never full. */
static struct ovi_pin **find_pin(struct ovi_memo *memo, const char *link)
{
	size_t at = hash(link) % PIN_SLOTS;

	while (memo->pins[at] && strcmp(memo->pins[at]->link, link) != 0)
		at = (at + 1) % PIN_SLOTS;

	return &memo->pins[at];
}

static void forget_pins(struct ovi_memo *memo)
{
	forget_sets(memo);
	for (size_t i = 0; i < PIN_SLOTS && memo->pin_count > 0; i++) {
		struct ovi_pin *pin = memo->pins[i];

		if (!pin)
			continue;
		memo->pins[i] = NULL;
		memo->pin_count--;
		let_go(memo, pin);
	}
}

/* What follows it in the table may belong in its place. */
static void take_out(struct ovi_memo *memo, struct ovi_pin **slot)
{
	size_t at = (size_t)(slot - memo->pins);
	struct ovi_pin *pin = *slot;

	*slot = NULL;
	memo->pin_count--;
	while (memo->pins[at = (at + 1) % PIN_SLOTS]) {
		struct ovi_pin *next = memo->pins[at];

		memo->pins[at] = NULL;
		*find_pin(memo, next->link) = next;
	}
	let_go(memo, pin);
}

static int open_content(const struct ovl2_store *store, const char *id, int *ret_fd,
                        struct ovl2_error *err)
{
	char path[OVI_LAYER_PATH_SIZE];
	int fd;

	ovi_layer_path(path, id, "diff");
	fd = ovi_sys.openat(store->home, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return ovi_fail(
			err, OVL2_E_CORRUPT,
			"'%s' is not a directory of the store: ovl2 check, then ovl2 repair", path);
	if (fd < 0)
		return ovi_fail_errno(err, "open '%s'", path);
	*ret_fd = fd;

	return 0;
}

/* Opened in any case, which tells what it is; kept open where it is wanted. */
static int open_pin(struct ovi_memo *memo, const struct ovl2_store *store, struct ovi_pin *pin,
                    int is_wanted, struct ovl2_error *err)
{
	cleanup_fd int fd = -1;
	int r;

	r = open_content(store, pin->id, &fd, err);
	if (r < 0)
		return r;
	if (is_wanted && memo->open_count < memo->max_open) {
		pin->fd = steal_fd(&fd);
		memo->open_count++;
	}

	return 0;
}

static int make_pin(struct ovi_memo *memo, const struct ovl2_store *store, const char *link,
                    int is_wanted, struct ovi_pin **ret_pin, struct ovl2_error *err)
{
	struct ovi_pin *pin;
	int r;

	pin = calloc(1, sizeof(*pin));
	if (!pin)
		return ovi_fail_memory(err);
	snprintf(pin->link, sizeof(pin->link), "%s", link);
	pin->fd = -1;

	r = ovi_link_follow(store, link, pin->id, err);
	if (r == 0)
		r = open_pin(memo, store, pin, is_wanted, err);
	if (r < 0) {
		free(pin);
		return r;
	}
	pin->is_out = memo->pin_count >= MAX_PINS;
	if (!pin->is_out) {
		*find_pin(memo, link) = pin;
		memo->pin_count++;
	}
	*ret_pin = pin;

	return 0;
}

static int pin_link(struct ovi_memo *memo, const struct ovi_layer *layer, struct ovi_pin_set *set,
                    const char *link, struct ovl2_error *err)
{
	struct ovi_pin *pin = *find_pin(memo, link);
	int r = 0;

	if (!pin)
		r = make_pin(memo, layer->store, link, set->by_descriptor, &pin, err);
	else if (set->by_descriptor && pin->fd < 0 && memo->open_count < memo->max_open)
		r = open_pin(memo, layer->store, pin, 1, err);
	if (r < 0 || !pin)
		return r;
	if (pin->met == memo->call || strcmp(pin->id, layer->id) == 0) {
		r = ovi_fail(err, OVL2_E_CORRUPT, "layer '%s' is under layer '%s' twice", pin->id,
		             layer->id);
		if (pin->is_out && !pin->users)
			free_pin(memo, pin);
		return r;
	}
	pin->met = memo->call;
	pin->users++;
	set->pins[set->pin_count++] = pin;
	set->has_outsiders |= pin->is_out;
	set->is_whole &= pin->fd >= 0;

	return 0;
}

static int pin_all(struct ovi_memo *memo, const struct ovi_layer *layer, struct ovi_pin_set *set,
                   struct ovl2_error *err)
{
	const struct ovi_chain *chain = &set->chain;

	memo->call++;
	set->names[set->count] = set->link;
	set->fds[set->count++] = -1;
	while (set->pin_count < chain->count) {
		size_t i = set->pin_count;
		int r = pin_link(memo, layer, set, chain->links[i], err);

		if (r < 0 || set->pin_count == i)
			return r;
		set->names[set->count] = chain->links[i];
		set->fds[set->count++] = set->pins[i]->fd;
	}
	if (!chain->count) {
		set->names[set->count] = OVI_EMPTY;
		set->fds[set->count++] = -1;
	}

	return 0;
}

/* -1 for what is not there: who needs it finds out by its name, and says so. */
static int open_own(struct ovi_memo *memo, const struct ovi_layer *layer, const char *name)
{
	int fd = -1;

	if (memo->own_count < memo->max_open)
		fd = ovi_sys.openat(layer->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	memo->own_count += fd >= 0;

	return fd;
}

static int make_set(struct ovi_memo *memo, const struct ovi_layer *layer, int by_descriptor,
                    struct ovi_pin_set **ret_set, struct ovl2_error *err)
{
	struct ovi_pin_set *set = calloc(1, sizeof(*set));
	size_t most = layer->chain.count + 2;
	int r;

	if (!set)
		return ovi_fail_memory(err);
	set->users = 1;
	ovi_chain_share(&layer->chain, &set->chain);
	memcpy(set->link, layer->link, sizeof(set->link));
	set->by_descriptor = by_descriptor;
	set->is_whole = by_descriptor;
	set->upper = by_descriptor ? open_own(memo, layer, "diff") : -1;
	set->work = by_descriptor ? open_own(memo, layer, "work") : -1;
	set->pins = calloc(most, sizeof(struct ovi_pin *));
	set->names = calloc(most, sizeof(*set->names));
	set->fds = calloc(most, sizeof(*set->fds));

	if (!set->pins || !set->names || !set->fds) {
		release_set(memo, set);
		return ovi_fail_memory(err);
	}

	r = pin_all(memo, layer, set, err);
	if (r < 0)
		release_set(memo, set);
	else
		*ret_set = set;

	return r;
}

/* Closes what may not be needed any more, where the new set would not fit beside it. */
static void make_room(struct ovi_memo *memo, const struct ovi_chain *chain, int by_descriptor)
{
	size_t missing = 0;

	for (size_t i = 0; i < chain->count; i++) {
		const struct ovi_pin *pin = *find_pin(memo, chain->links[i]);

		missing += !pin || (by_descriptor && pin->fd < 0);
	}
	if (memo->pin_count + missing > MAX_PINS ||
	    (by_descriptor && chain->count <= memo->max_open &&
	     memo->open_count + missing > memo->max_open))
		forget_pins(memo);
	else if (by_descriptor && memo->own_count + 2 > memo->max_open)
		forget_own(memo);
}

static int find_set(struct ovi_memo *memo, const struct ovi_layer *layer, int by_descriptor,
                    struct ovi_pin_set **ret_set, struct ovl2_error *err)
{
	struct known *known = find_known(memo, layer);
	int r;

	/* Whatever it was that changed: what was checked before may be wrong now. */
	if (!is_same(&memo->links, &layer->version.links, sizeof(memo->links)))
		forget_pins(memo);
	memo->links = layer->version.links;
	if (known && known->set && (known->set->is_whole || !by_descriptor)) {
		known->set->users++;
		*ret_set = known->set;
		return 0;
	}

	make_room(memo, &layer->chain, by_descriptor);
	r = make_set(memo, layer, by_descriptor, ret_set, err);
	if (r < 0 || !*ret_set)
		return r;
	if (known && !(*ret_set)->has_outsiders) {
		release_set(memo, known->set);
		known->set = *ret_set;
		known->set->users++;
	}

	return 0;
}

int ovi_pins_open(const struct ovi_layer *layer, int by_descriptor, struct ovi_pins *pins,
                  struct ovl2_error *err)
{
	struct ovi_memo *memo = layer->store->memo;
	struct ovi_pin_set *set = NULL;
	int r;

	pthread_mutex_lock(&memo->lock);
	r = find_set(memo, layer, by_descriptor, &set, err);
	pthread_mutex_unlock(&memo->lock);
	if (r < 0 || !set)
		return r;

	*pins = (struct ovi_pins){
		.memo = memo,
		.set = set,
		.names = set->names,
		.fds = set->fds,
		.count = set->count,
		.upper = set->upper,
		.work = set->work,
	};

	return 0;
}

void ovi_pins_release(struct ovi_pins *pins)
{
	int saved = errno;

	if (!pins->set)
		return;

	pthread_mutex_lock(&pins->memo->lock);
	release_set(pins->memo, pins->set);
	pthread_mutex_unlock(&pins->memo->lock);
	*pins = (struct ovi_pins){ .set = NULL };
	errno = saved;
}

/* -------------------------------------------------------------------- links -- */

/* From `before` to `after` the directory of links changed in a way that is known. */
static void carry_over(struct ovi_memo *memo, const struct ovi_sighting *before,
                       const struct ovi_sighting *after)
{
	if (is_same(&memo->links, before, sizeof(*before)))
		memo->links = *after;
	for (size_t i = 0; i < OVI_MEMO_LAYERS; i++) {
		struct known *known = memo->layers[i];

		if (known && is_same(&known->version.links, before, sizeof(*before)))
			known->version.links = *after;
	}
}

/* A target of NULL takes the link away. */
static int change_links(struct ovl2_store *store, const char *link, const char *target)
{
	struct ovi_memo *memo = store->memo;
	struct ovi_sighting before;
	struct ovi_sighting after;
	int is_seen;
	int saved;
	int r;

	is_seen = look_at(memo, store->home, "l", &before, NULL) == 0;
	r = target ? ovi_sys.symlinkat(target, store->home, link)
	           : ovi_sys.unlinkat(store->home, link, 0);
	saved = errno;
	if (r == 0 && is_seen && look_at(memo, store->home, "l", &after, NULL) == 0)
		carry_over(memo, &before, &after);
	errno = saved;

	return r;
}

int ovi_memo_link(struct ovl2_store *store, const char *link, const char *target)
{
	int r;

	pthread_mutex_lock(&store->memo->lock);
	r = change_links(store, link, target);
	pthread_mutex_unlock(&store->memo->lock);

	return r;
}

int ovi_memo_unlink(const struct ovi_layer *layer)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known **known = &memo->layers[hash(layer->id) % OVI_MEMO_LAYERS];
	struct ovi_pin **pin;
	int r;

	pthread_mutex_lock(&memo->lock);
	r = change_links(layer->store, layer->link, NULL);
	if (*known && strcmp((*known)->id, layer->id) == 0) {
		free_known(memo, *known);
		*known = NULL;
	}
	pin = find_pin(memo, layer->link);
	if (*pin)
		take_out(memo, pin);
	pthread_mutex_unlock(&memo->lock);

	return r;
}

void ovi_memo_free(struct ovi_memo *memo)
{
	if (!memo)
		return;

	forget_pins(memo);
	for (size_t i = 0; i < OVI_MEMO_LAYERS; i++)
		free_known(memo, memo->layers[i]);
	pthread_mutex_destroy(&memo->lock);
	free(memo);
}
