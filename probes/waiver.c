#include "waiver.h"

#include "cleanup.h"
#include "fail.h"
#include "survey.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FORMAT "ovl2-waivers/1"

static const struct member {
	const char *name;
	size_t offset;
	int is_mandatory;
} members[] = {
	{ "id", offsetof(struct probe_waiver, id), 1 },
	{ "target", offsetof(struct probe_waiver, target), 0 },
	{ "reason", offsetof(struct probe_waiver, reason), 1 },
	{ "expires", offsetof(struct probe_waiver, expires), 1 },
	{ "approved_by", offsetof(struct probe_waiver, approved_by), 0 },
};

/* One line, so that it can stand in a line. */
static int is_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return 0;

	return 1;
}

static int is_date(const char *text)
{
	struct tm date = { 0 };
	char again[16] = "";
	const char *end = strptime(text, "%Y-%m-%d", &date);

	/* strptime takes 2027-1-1 and 2027-02-31; the way back tells. */
	if (!end || *end || timegm(&date) < 0)
		return 0;
	strftime(again, sizeof(again), "%Y-%m-%d", &date);

	return strcmp(text, again) == 0;
}

int waiver_read(const json_t *object, struct probe_waiver *ret_waiver, struct ovl2_error *err)
{
	struct probe_waiver waiver = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *value = json_object_get(object, members[i].name);
		const char *text = json_string_value(value);

		if (!members[i].is_mandatory && (!value || json_is_null(value)))
			continue;
		if (!text || !*text || !is_line(text))
			return ovi_fail(err, OVL2_E_INVALID, "%s: %s", members[i].name,
			                value ? "not a line of text" : "missing");
		memcpy((char *)&waiver + members[i].offset, &text, sizeof(text));
	}
	if (!is_date(waiver.expires))
		return ovi_fail(err, OVL2_E_INVALID, "expires: '%s' is not a day like 2027-01-31",
		                waiver.expires);

	*ret_waiver = waiver;

	return 0;
}

/* A misspelt "target" would waive everywhere. */
static int check_members(const json_t *object, struct ovl2_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (i < ARRAY_SIZE(members) && strcmp(members[i].name, key) != 0)
			i++;
		if (i == ARRAY_SIZE(members))
			return ovi_fail(err, OVL2_E_INVALID, "'%.60s' is not known", key);
	}

	return 0;
}

static int read_entry(const json_t *object, struct probe_waiver *waiver, struct ovl2_error *err)
{
	int r;

	r = check_members(object, err);
	if (r == 0)
		r = waiver_read(object, waiver, err);
	if (r == 0 && !probe_find(waiver->id))
		return ovi_fail(err, OVL2_E_INVALID,
		                "id: there is no probe '%.60s'; see 'ovl2-probe list'", waiver->id);

	return r;
}

static int read_all(struct probe_waivers *waivers, struct ovl2_error *err)
{
	const char *format = json_string_value(json_object_get(waivers->document, "format"));
	const json_t *list = json_object_get(waivers->document, "waivers");

	if (!format || strcmp(format, FORMAT) != 0 || !json_is_array(list))
		return ovi_fail(err, OVL2_E_INVALID,
		                "not of the form {\"format\": \"" FORMAT "\", \"waivers\": [...]}");

	waivers->list = calloc(json_array_size(list) + 1, sizeof(*waivers->list));
	if (!waivers->list)
		return ovi_fail_memory(err);
	for (; waivers->count < json_array_size(list); waivers->count++) {
		int r = read_entry(json_array_get(list, waivers->count),
		                   &waivers->list[waivers->count], err);

		if (r < 0)
			return ovi_fail_within(err, r, "waivers[%zu]", waivers->count);
	}

	return 0;
}

int probe_waivers_read(const char *path, struct probe_waivers *ret_waivers, struct ovl2_error *err)
{
	cleanup_waivers struct probe_waivers waivers = { 0 };
	int r;

	r = document_read(path, &waivers.document, err);
	if (r < 0)
		return r;
	r = read_all(&waivers, err);
	if (r < 0)
		return ovi_fail_within(err, r, "read '%s'", path);

	*ret_waivers = waivers;
	waivers = (struct probe_waivers){ 0 };

	return 0;
}

void probe_waivers_release(struct probe_waivers *waivers)
{
	json_decref(waivers->document);
	free(waivers->list);
	*waivers = (struct probe_waivers){ 0 };
}
