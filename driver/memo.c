#include "memo.h"

#include "chain.h"
#include "cleanup.h"
#include "fail.h"
#include "layer.h"
#include "store.h"
#include "sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors kept: what the deepest two mounts need, if the process may have them. */
#define PIN_SLOTS 4096
#define MAX_PINS 1024

struct ovi_pin {
	char link[OVI_LINK_SIZE];
	char id[OVL2_ID_SIZE];
	int fd;

	/* Pins that hold it; closed by the last one once it is out of the table. */
	unsigned int users;
	int is_out;

	/* The call that met it last: meeting it again means a layer that is there twice. */
	uint64_t met;
};

struct known {
	char id[OVL2_ID_SIZE];
	struct ovi_version version;
	struct ovi_record record;
	struct ovi_chain chain;
	char link[OVI_LINK_SIZE];
};

struct ovi_memo {
	pthread_mutex_t lock;
	struct known *layers[OVI_MEMO_LAYERS];

	/* All of them were checked when the directory of links was as `links`. */
	struct ovi_pin *pins[PIN_SLOTS];
	struct ovi_stamp links;
	size_t pin_count;
	size_t max_pins;
	uint64_t call;
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

	/* The process needs descriptors as well. */
	memo->max_pins = MAX_PINS;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < MAX_PINS)
		memo->max_pins = (size_t)limit.rlim_cur / 4;

	return memo;
}

/* ------------------------------------------------------------------- layers -- */

static void free_known(struct known *known)
{
	if (!known)
		return;
	ovi_chain_release(&known->chain);
	free(known);
}

static int read_stamp(int dir, const char *name, struct ovi_stamp *ret_stamp,
                      struct ovl2_error *err)
{
	struct stat st;

	memset(ret_stamp, 0, sizeof(*ret_stamp));
	if (ovi_sys.fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ovi_fail_errno(err, "look at '%s'", name);

	ret_stamp->inode = st.st_ino;
	ret_stamp->size = (uint64_t)st.st_size;
	ret_stamp->changed_s = st.st_ctim.tv_sec;
	ret_stamp->changed_ns = (uint32_t)st.st_ctim.tv_nsec;

	return 0;
}

static int read_version(struct ovi_layer *layer, struct ovl2_error *err)
{
	struct ovi_version *version = &layer->version;
	int r;

	memset(version, 0, sizeof(*version));
	r = read_stamp(layer->store->home, "l", &version->links, err);
	if (r == 0)
		r = read_stamp(layer->dir, "ovl2.json", &version->record, err);
	if (r == 0)
		r = read_stamp(layer->dir, "link", &version->link, err);
	if (r == 0)
		r = read_stamp(layer->dir, "lower", &version->lower, err);

	return r;
}

/* Links only; ids are for those who need them. -1 when out of memory. */
static int copy_chain(const struct ovi_chain *from, struct ovi_chain *to)
{
	*to = (struct ovi_chain){ .count = from->count };
	memcpy(to->parent, from->parent, sizeof(to->parent));
	if (!from->count)
		return 0;

	to->links = calloc(from->count, sizeof(*to->links));
	if (!to->links)
		return -1;
	memcpy(to->links, from->links, from->count * sizeof(*to->links));

	return 0;
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
	known = memo->layers[hash(layer->id) % OVI_MEMO_LAYERS];
	if (known && strcmp(known->id, layer->id) == 0 &&
	    is_same(&known->version, &layer->version, sizeof(known->version)) &&
	    copy_chain(&known->chain, &layer->chain) == 0) {
		layer->record = known->record;
		memcpy(layer->link, known->link, sizeof(layer->link));
		r = 1;
	}
	pthread_mutex_unlock(&memo->lock);

	return r;
}

void ovi_memo_keep(const struct ovi_layer *layer)
{
	struct ovi_memo *memo = layer->store->memo;
	struct known *known = calloc(1, sizeof(*known));
	struct known *old;
	struct known **slot;

	if (!known || copy_chain(&layer->chain, &known->chain) < 0) {
		free(known);
		return;
	}
	memcpy(known->id, layer->id, sizeof(known->id));
	memcpy(known->link, layer->link, sizeof(known->link));
	known->version = layer->version;
	known->record = layer->record;

	pthread_mutex_lock(&memo->lock);
	slot = &memo->layers[hash(layer->id) % OVI_MEMO_LAYERS];
	old = *slot;
	*slot = known;
	pthread_mutex_unlock(&memo->lock);
	free_known(old);
}

/* --------------------------------------------------------------------- pins -- */

static void free_pin(struct ovi_pin *pin)
{
	close(pin->fd);
	free(pin);
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
	for (size_t i = 0; i < PIN_SLOTS && memo->pin_count > 0; i++) {
		struct ovi_pin *pin = memo->pins[i];

		if (!pin)
			continue;
		memo->pins[i] = NULL;
		memo->pin_count--;
		pin->is_out = 1;
		if (!pin->users)
			free_pin(pin);
	}
}

static int open_pin(const struct ovl2_store *store, const char *link, struct ovi_pin **ret_pin,
                    struct ovl2_error *err)
{
	char path[OVL2_ID_SIZE + 8];
	struct ovi_pin *pin;
	int r;

	pin = calloc(1, sizeof(*pin));
	if (!pin)
		return ovi_fail_memory(err);
	snprintf(pin->link, sizeof(pin->link), "%s", link);

	r = ovi_link_follow(store, link, pin->id, err);
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/diff", pin->id);
		pin->fd = ovi_sys.openat(store->home, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
		if (pin->fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			r = ovi_fail(err, OVL2_E_CORRUPT, "'%s' is not a directory of the store",
			             path);
		else if (pin->fd < 0)
			r = ovi_fail_errno(err, "open '%s'", path);
	}
	if (r < 0) {
		free(pin);
		return r;
	}
	*ret_pin = pin;

	return 0;
}

static int pin_link(struct ovi_memo *memo, const struct ovi_layer *layer, const char *link,
                    struct ovi_pin **ret_pin, struct ovl2_error *err)
{
	struct ovi_pin **slot = find_pin(memo, link);
	struct ovi_pin *pin = *slot;
	int r = 0;

	if (!pin) {
		r = open_pin(layer->store, link, &pin, err);
		if (r < 0 || !pin)
			return r;
		pin->is_out = memo->pin_count >= memo->max_pins;
		if (!pin->is_out) {
			*slot = pin;
			memo->pin_count++;
		}
	}
	if (pin->met == memo->call || strcmp(pin->id, layer->id) == 0) {
		r = ovi_fail(err, OVL2_E_CORRUPT, "layer '%s' is under layer '%s' twice", pin->id,
		             layer->id);
		if (pin->is_out && !pin->users)
			free_pin(pin);
		return r;
	}
	pin->met = memo->call;
	pin->users++;
	*ret_pin = pin;

	return 0;
}

static int pin_all(struct ovi_memo *memo, const struct ovi_layer *layer, struct ovi_pins *pins,
                   struct ovl2_error *err)
{
	const struct ovi_chain *chain = &layer->chain;
	int r = 0;

	/* Whatever it was that changed: what was checked before may be wrong now. */
	if (!is_same(&memo->links, &layer->version.links, sizeof(memo->links)) ||
	    memo->pin_count + chain->count > memo->max_pins)
		forget_pins(memo);
	memo->links = layer->version.links;
	memo->call++;

	while (pins->count < chain->count && r == 0) {
		size_t i = pins->count;

		r = pin_link(memo, layer, chain->links[i], &pins->pins[i], err);
		if (r == 0)
			pins->fds[pins->count++] = pins->pins[i]->fd;
	}

	return r;
}

int ovi_pins_open(const struct ovi_layer *layer, struct ovi_pins *pins, struct ovl2_error *err)
{
	struct ovi_memo *memo = layer->store->memo;
	int r;

	*pins = (struct ovi_pins){ .memo = memo };
	if (!layer->chain.count)
		return 0;
	pins->pins = calloc(layer->chain.count, sizeof(struct ovi_pin *));
	pins->fds = calloc(layer->chain.count, sizeof(int));
	if (!pins->pins || !pins->fds) {
		ovi_pins_release(pins);
		return ovi_fail_memory(err);
	}

	pthread_mutex_lock(&memo->lock);
	r = pin_all(memo, layer, pins, err);
	pthread_mutex_unlock(&memo->lock);
	if (r < 0)
		ovi_pins_release(pins);

	return r;
}

void ovi_pins_release(struct ovi_pins *pins)
{
	int saved = errno;

	if (pins->count > 0)
		pthread_mutex_lock(&pins->memo->lock);
	for (size_t i = 0; pins->pins && i < pins->count; i++) {
		struct ovi_pin *pin = pins->pins[i];

		if (pin && --pin->users == 0 && pin->is_out)
			free_pin(pin);
	}
	if (pins->count > 0)
		pthread_mutex_unlock(&pins->memo->lock);
	free(pins->pins);
	free(pins->fds);
	*pins = (struct ovi_pins){ .memo = pins->memo };
	errno = saved;
}

void ovi_memo_free(struct ovi_memo *memo)
{
	if (!memo)
		return;

	for (size_t i = 0; i < OVI_MEMO_LAYERS; i++)
		free_known(memo->layers[i]);
	forget_pins(memo);
	pthread_mutex_destroy(&memo->lock);
	free(memo);
}
