/* Options in the form of Docker's --storage-opt: "overlay2.size=10G". */

#include <ovl2.h>

#include "cleanup.h"
#include "fail.h"
#include "overlay.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/*
 * Docker's units.RAMInBytes: a number, fractions allowed, and one of b k m g t p,
 * with "b" or "ib" behind it or not; all powers of 1024. Zero is not a size.
 */
static int parse_size(const char *text, uint64_t *ret_bytes)
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
	*ret_bytes = (uint64_t)number;

	return 0;
}

/* Go's strconv.ParseBool. */
static int parse_bool(const char *text, int *ret_value)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret_value = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}

	return -1;
}

static int parse_depth(const char *text, uint32_t *ret_depth)
{
	char *end = NULL;
	long depth = strtol(text, &end, 10);

	if (end == text || *end || depth < 1 || depth > OVI_MAX_LOWERS)
		return -1;
	*ret_depth = (uint32_t)depth;

	return 0;
}

static int parse_method(const char *text, int *ret_method)
{
	const char *name;

	for (int i = 0; (name = ovl2_mount_method_name(i)); i++) {
		if (strcmp(text, name) == 0) {
			*ret_method = i;
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

static int parse_durability(const char *text, int *ret_durability)
{
	static const char *const names[] = {
		[OVL2_DURABILITY_COMMIT] = "commit",
		[OVL2_DURABILITY_NONE] = "none",
		[OVL2_DURABILITY_ALWAYS] = "always",
	};

	return parse_name(text, names, ARRAY_SIZE(names), ret_durability);
}

static int parse_attributes(const char *text, int *ret_attributes)
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

static int fail_value(const char *key, const char *value, const char *expected,
                      struct ovl2_error *err)
{
	return ovi_fail(err, OVL2_E_INVALID, "option '%s' has the value '%s': expected %s", key,
	                value, expected);
}

int ovl2_store_options_parse(const char *text, struct ovl2_store_options *options,
                             struct ovl2_error *err)
{
	cleanup_free char *copy = NULL;
	const char *key = "";
	const char *value = "";
	int r;

	if (!text || options->size != sizeof(*options))
		return ovi_fail(err, OVL2_E_INVALID, "no option, or options without their size");
	copy = strdup(text);
	if (!copy)
		return ovi_fail_memory(err);
	r = split(copy, &key, &value, err);
	if (r < 0)
		return r;

	if (strcasecmp(key, "override_kernel_check") == 0)
		return parse_bool(value, &options->override_kernel_check) == 0
		               ? 0
		               : fail_value(key, value, "true or false", err);
	if (strcasecmp(key, "size") == 0)
		return parse_size(value, &options->quota_bytes) == 0
		               ? 0
		               : fail_value(key, value, "a size such as 10G", err);
	if (strcasecmp(key, "max_depth") == 0)
		return parse_depth(value, &options->max_depth) == 0
		               ? 0
		               : fail_value(key, value, "1 to 500", err);
	if (strcasecmp(key, "mount_method") == 0)
		return parse_method(value, &options->mount_method) == 0
		               ? 0
		               : fail_value(key, value, "auto, absolute, relative, append or fd",
		                            err);
	if (strcasecmp(key, "durability") == 0)
		return parse_durability(value, &options->durability) == 0
		               ? 0
		               : fail_value(key, value, "none, commit or always", err);

	if (strcasecmp(key, "attributes") == 0)
		return parse_attributes(value, &options->attributes) == 0
		               ? 0
		               : fail_value(key, value, "auto, trusted or user", err);

	return ovi_fail(err, OVL2_E_INVALID,
	                "unknown store option '%s': known are override_kernel_check, size, "
	                "max_depth, mount_method, durability, attributes",
	                key);
}

int ovl2_layer_options_parse(const char *text, struct ovl2_layer_options *options,
                             struct ovl2_error *err)
{
	cleanup_free char *copy = NULL;
	const char *key = "";
	const char *value = "";
	int r;

	if (!text || options->size != sizeof(*options))
		return ovi_fail(err, OVL2_E_INVALID, "no option, or options without their size");
	copy = strdup(text);
	if (!copy)
		return ovi_fail_memory(err);
	r = split(copy, &key, &value, err);
	if (r < 0)
		return r;

	if (strcasecmp(key, "size") == 0)
		return parse_size(value, &options->quota_bytes) == 0
		               ? 0
		               : fail_value(key, value, "a size such as 10G", err);
	if (strcasecmp(key, "inodes") == 0)
		return parse_size(value, &options->quota_inodes) == 0
		               ? 0
		               : fail_value(key, value, "a count such as 100000", err);

	return ovi_fail(err, OVL2_E_INVALID, "unknown layer option '%s': known are size, inodes",
	                key);
}
