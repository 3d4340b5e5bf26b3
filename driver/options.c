/* Options in the form of Docker's --storage-opt: "overlay2.size=10G". */

#include <ovl2.h>

#include "cleanup.h"
#include "fail.h"
#include "overlay.h"
#include "strbuf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/*
 * Docker's units.RAMInBytes: a number, fractions allowed, and one of b k m g t p,
 * with "b" or "ib" behind it or not; all powers of 1024. Zero is not a size.
 */
static int parse_size(const char *text, void *ret_bytes)
{
	static const char units[] = "bkmgtp";
	char *end = NULL;
	double number;
	int power = 0;

	if (*text < '0' || *text > '9')
		return -1;

	number = strtod(text, &end);
	if (*end == ' ')
		end++;
	if (*end) {
		char letter = (char)tolower((unsigned char)*end);
		const char *unit = strchr(units, letter);

		if (!unit)
			return -1;
		power = (int)(unit - units);
		end++;
		if (power > 0 && (strcasecmp(end, "b") == 0 || strcasecmp(end, "ib") == 0))
			end += strlen(end);
	}
	while (power-- > 0)
		number *= 1024;
	if (*end || !(number >= 1) || number >= 0x1p63)
		return -1;
	*(uint64_t *)ret_bytes = (uint64_t)number;

	return 0;
}

/* Go's strconv.ParseBool. */
static int parse_bool(const char *text, void *ret_value)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*(int *)ret_value = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}

	return -1;
}

static int parse_depth(const char *text, void *ret_depth)
{
	char *end = NULL;
	long depth = strtol(text, &end, 10);

	if (end == text || *end || depth < 1 || depth > OVI_MAX_LOWERS)
		return -1;
	*(uint32_t *)ret_depth = (uint32_t)depth;

	return 0;
}

static int parse_method(const char *text, void *ret_method)
{
	const char *name;

	for (int i = 0; (name = ovl2_mount_method_name(i)); i++) {
		if (strcmp(text, name) == 0) {
			*(int *)ret_method = i;
			return 0;
		}
	}

	return -1;
}

static int parse_name(const char *text, const char *const *names, size_t count, int *ret_value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_value = (int)i;
			return 0;
		}
	}

	return -1;
}

static int parse_durability(const char *text, void *ret_durability)
{
	static const char *const names[] = {
		[OVL2_DURABILITY_COMMIT] = "commit",
		[OVL2_DURABILITY_NONE] = "none",
		[OVL2_DURABILITY_ALWAYS] = "always",
	};

	return parse_name(text, names, ARRAY_SIZE(names), ret_durability);
}

static int parse_attributes(const char *text, void *ret_attributes)
{
	static const char *const names[] = {
		[OVL2_ATTRIBUTES_AUTO] = "auto",
		[OVL2_ATTRIBUTES_TRUSTED] = "trusted",
		[OVL2_ATTRIBUTES_USER] = "user",
	};

	return parse_name(text, names, ARRAY_SIZE(names), ret_attributes);
}

/* Splits "key=value"; `key` without the driver's prefix, which is optional. */
static int split(char *text, const char **ret_key, const char **ret_value, struct ovl2_error *err)
{
	static const char prefix[] = "overlay2.";
	char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return ovi_fail(err, OVL2_E_INVALID, "option '%s' is not of the form key=value",
		                text);

	*equals = '\0';
	*ret_key = strncasecmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
	*ret_value = equals + 1;

	return 0;
}

/* One option: its key, what it is kept in, and what a value has to be. */
struct option {
	const char *key; /* a table ends with NULL */
	int (*parse)(const char *text, void *value);
	size_t offset;
	const char *expected;
};

/* `kind` and the keys of `table` are for the message about one that is not known. */
static int parse_option(const char *text, void *options, const struct option *table,
                        const char *kind, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf known = { 0 };
	cleanup_free char *copy = strdup(text);
	const char *key = "";
	const char *value = "";
	int r;

	if (!copy)
		return ovi_fail_memory(err);
	r = split(copy, &key, &value, err);
	if (r < 0)
		return r;

	for (const struct option *row = table; row->key; row++) {
		ovi_strbuf_addf(&known, "%s%s", row == table ? "" : ", ", row->key);
		if (strcasecmp(key, row->key) != 0)
			continue;
		if (row->parse(value, (char *)options + row->offset) == 0)
			return 0;
		return ovi_fail(err, OVL2_E_INVALID, "option '%s' has the value '%s': expected %s",
		                key, value, row->expected);
	}
	if (known.failed)
		return ovi_fail_memory(err);

	return ovi_fail(err, OVL2_E_INVALID, "unknown %s option '%s': known are %s", kind, key,
	                known.text);
}

int ovl2_store_options_parse(const char *text, struct ovl2_store_options *options,
                             struct ovl2_error *err)
{
#define OPTION(key, member, parse, expected)                                      \
	{                                                                         \
		key, parse, offsetof(struct ovl2_store_options, member), expected \
	}
	static const struct option table[] = {
		OPTION("override_kernel_check", override_kernel_check, parse_bool, "true or false"),
		OPTION("size", quota_bytes, parse_size, "a size such as 10G"),
		OPTION("max_depth", max_depth, parse_depth, "1 to 500"),
		OPTION("mount_method", mount_method, parse_method,
		       "auto, absolute, relative, append or fd"),
		OPTION("durability", durability, parse_durability, "none, commit or always"),
		OPTION("attributes", attributes, parse_attributes, "auto, trusted or user"),
		OPTION("digest", digest, parse_bool, "true or false"),
		{ .key = NULL },
	};
#undef OPTION

	if (!text || options->size != sizeof(*options))
		return ovi_fail(err, OVL2_E_INVALID, "no option, or options without their size");

	return parse_option(text, options, table, "store", err);
}

int ovl2_layer_options_parse(const char *text, struct ovl2_layer_options *options,
                             struct ovl2_error *err)
{
	static const struct option table[] = {
		{ "size", parse_size, offsetof(struct ovl2_layer_options, quota_bytes),
		  "a size such as 10G" },
		{ "inodes", parse_size, offsetof(struct ovl2_layer_options, quota_inodes),
		  "a count such as 100000" },
		{ "digest", parse_bool, offsetof(struct ovl2_layer_options, digest),
		  "true or false" },
		{ .key = NULL },
	};

	if (!text || options->size != sizeof(*options))
		return ovi_fail(err, OVL2_E_INVALID, "no option, or options without their size");

	return parse_option(text, options, table, "layer", err);
}
