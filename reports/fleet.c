#include "fleet.h"

#include "cleanup.h"
#include "dir.h"
#include "document.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* While reading: what is kept of each host, by "name, path, profile". */
struct reading {
	json_t *hosts;
	json_t *titles;
	json_t *refused;
};

/* ----------------------------------------------------------------- one host -- */

static int is_culprit(const json_t *probe)
{
	const char *verdict = report_string(probe, "verdict");

	return strcmp(verdict, "fail") == 0 ||
	       (strcmp(verdict, "unknown") == 0 &&
	        strcmp(report_string(probe, "level"), "required") == 0);
}

static int is_problem(const json_t *probe)
{
	const char *verdict = report_string(probe, "verdict");

	return is_culprit(probe) || strcmp(verdict, "warn") == 0 || strcmp(verdict, "waived") == 0;
}

/* Ids joined by ", ": hosts with the same culprits have the same cause. */
static json_t *summarise(const json_t *document, json_t *titles)
{
	const json_t *host = json_object_get(document, "host");
	const json_t *target = json_object_get(document, "target");
	cleanup_strbuf struct ovi_strbuf cause = { 0 };
	json_t *problems = json_object();
	json_t *probe;
	size_t i;

	json_array_foreach(json_object_get(document, "probes"), i, probe)
	{
		const char *id = report_string(probe, "id");

		if (!is_problem(probe))
			continue;
		json_object_set(problems, id, json_object_get(probe, "verdict"));
		if (!json_object_get(titles, id))
			json_object_set_new(titles, id,
			                    json_pack("{s:s, s:s}", "title",
			                              report_string(probe, "title"), "remedy",
			                              report_string(probe, "remedy")));
		if (is_culprit(probe))
			ovi_strbuf_addf(&cause, "%s%s", cause.length ? ", " : "", id);
	}

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name",
	                 report_string(host, "name"), "path", report_string(target, "path"),
	                 "profile", report_string(json_object_get(document, "profile"), "id"),
	                 "kernel", report_string(host, "kernel"), "filesystem",
	                 report_string(target, "filesystem"), "verdict",
	                 report_string(document, "verdict"), "started",
	                 report_string(document, "started"), "cause", cause.text ? cause.text : "",
	                 "problems", problems);
}

static int add_host(struct reading *reading, const json_t *document, struct ovl2_error *err)
{
	json_t *host = summarise(document, reading->titles);
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	const json_t *before;

	ovi_strbuf_addf(&key, "%s\n%s\n%s", report_string(host, "name"),
	                report_string(host, "path"), report_string(host, "profile"));
	if (!host || ovi_strbuf_failed(&key)) {
		json_decref(host);
		return ovi_fail_memory(err);
	}
	before = json_object_get(reading->hosts, key.text);
	if (before && strcmp(report_string(before, "started"), report_string(host, "started")) > 0)
		json_decref(host);
	else
		json_object_set_new(reading->hosts, key.text, host);

	return 0;
}

/* ------------------------------------------------------------------- files -- */

static int read_file(struct reading *reading, const char *path, struct ovl2_error *err)
{
	cleanup_documents struct report_documents documents = { 0 };
	struct ovl2_error reason = { 0 };
	int r = report_document_read(path, &documents, &reason);

	if (r == 0 && documents.probe)
		return add_host(reading, documents.probe, err);
	if (r == 0)
		ovi_fail(&reason, OVL2_E_INVALID, "%s: what ovl2-bench wrote, not ovl2-probe",
		         path);
	json_array_append_new(reading->refused,
	                      json_pack("{s:s, s:s}", "file", path, "reason", reason.message));

	return 0;
}

static int is_json(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && name[0] != '.' && strcmp(name + length - 5, ".json") == 0;
}

static int read_directory(struct reading *reading, const char *path, int dir,
                          struct ovl2_error *err)
{
	cleanup_listing struct ovi_listing listing = { 0 };
	int r = ovi_dir_list(dir, path, &listing, err);

	for (size_t i = 0; i < listing.count && r == 0; i++) {
		cleanup_strbuf struct ovi_strbuf name = { 0 };

		if (!is_json(listing.names[i].name))
			continue;
		ovi_strbuf_addf(&name, "%s/%s", path, listing.names[i].name);
		r = ovi_strbuf_failed(&name) ? ovi_fail_memory(err)
		                             : read_file(reading, name.text, err);
	}

	return r;
}

static int read_path(struct reading *reading, const char *path, struct ovl2_error *err)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return read_file(reading, path, err);

	return read_directory(reading, path, dir, err);
}

/* ------------------------------------------------------------------ summing -- */

static void count_up(json_t *object, const char *name)
{
	json_object_set_new(object, name,
	                    json_integer((json_int_t)report_number(object, name) + 1));
}

/* The member of `groups` called `key`, made by `make` when it is new. */
static json_t *group_of(json_t *groups, const char *key, json_t *fresh)
{
	json_t *group = json_object_get(groups, key);

	if (group) {
		json_decref(fresh);
		return group;
	}
	json_object_set_new(groups, key, fresh);

	return fresh;
}

static void sum_problems(json_t *problems, const json_t *host, const json_t *titles)
{
	const char *id;
	json_t *verdict;

	json_object_foreach(json_object_get(host, "problems"), id, verdict)
	{
		const json_t *texts = json_object_get(titles, id);
		json_t *problem =
			group_of(problems, id,
		                 json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "id", id,
		                           "title", report_string(texts, "title"), "remedy",
		                           report_string(texts, "remedy"), "hosts", 0, "fail", 0,
		                           "unknown", 0, "warn", 0, "waived", 0));

		count_up(problem, "hosts");
		count_up(problem, json_string_value(verdict));
	}
}

static void sum_host(json_t *sums, const json_t *host, const json_t *titles)
{
	const char *verdict = report_string(host, "verdict");
	const char *cause = report_string(host, "cause");
	cleanup_strbuf struct ovi_strbuf key = { 0 };
	json_t *group;

	count_up(json_object_get(sums, "counts"), verdict);
	sum_problems(json_object_get(sums, "problems"), host, titles);

	ovi_strbuf_addf(&key, "%s\n%s", report_string(host, "kernel"),
	                report_string(host, "filesystem"));
	group = group_of(json_object_get(sums, "places"), key.text ? key.text : "",
	                 json_pack("{s:s, s:s, s:i, s:i, s:i, s:i}", "kernel",
	                           report_string(host, "kernel"), "filesystem",
	                           report_string(host, "filesystem"), "hosts", 0, "qualified", 0,
	                           "not_qualified", 0, "undetermined", 0));
	count_up(group, "hosts");
	count_up(group, verdict);

	if (strcmp(verdict, "qualified") == 0)
		return;
	group = group_of(json_object_get(sums, "causes"), cause,
	                 json_pack("{s:s, s:s, s:i, s:[]}", "cause", cause, "verdict", verdict,
	                           "hosts", 0, "names"));
	count_up(group, "hosts");
	json_array_append_new(
		json_object_get(group, "names"),
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", report_string(host, "name"), "path",
	                  report_string(host, "path"), "profile", report_string(host, "profile"),
	                  "kernel", report_string(host, "kernel"), "filesystem",
	                  report_string(host, "filesystem")));
}

static int by_hosts(const void *a, const void *b)
{
	double one = report_number(*(json_t *const *)a, "hosts");
	double other = report_number(*(json_t *const *)b, "hosts");

	return (one < other) - (one > other);
}

/* The members of `groups`, most hosts first. Takes `groups` over. */
static json_t *sorted(json_t *groups)
{
	size_t count = json_object_size(groups);
	json_t **list = calloc(count + 1, sizeof(void *));
	json_t *array = list ? json_array() : NULL;
	const char *key;
	json_t *group;
	size_t i = 0;

	if (array) {
		json_object_foreach(groups, key, group) list[i++] = group;
		qsort(list, count, sizeof(void *), by_hosts);
		for (i = 0; i < count; i++)
			json_array_append(array, list[i]);
	}
	free(list);
	json_decref(groups);

	return array;
}

static json_t *sum_up(const struct reading *reading)
{
	json_t *sums =
		json_pack("{s:{s:i, s:i, s:i}, s:{}, s:{}, s:{}}", "counts", "qualified", 0,
	                  "not_qualified", 0, "undetermined", 0, "problems", "places", "causes");
	const char *key;
	json_t *host;
	json_t *fleet;

	json_object_foreach(reading->hosts, key, host) sum_host(sums, host, reading->titles);
	fleet = json_pack(
		"{s:s, s:s, s:I, s:O, s:o, s:o, s:o, s:O}", "format", "ovl2-fleet/1", "version",
		OVL2_VERSION, "hosts", (json_int_t)json_object_size(reading->hosts), "counts",
		json_object_get(sums, "counts"), "causes",
		sorted(json_incref(json_object_get(sums, "causes"))), "problems",
		sorted(json_incref(json_object_get(sums, "problems"))), "places",
		sorted(json_incref(json_object_get(sums, "places"))), "refused", reading->refused);
	json_decref(sums);

	return fleet;
}

int report_fleet_read(char *const paths[], size_t count, json_t **ret_fleet, struct ovl2_error *err)
{
	struct reading reading = {
		.hosts = json_object(),
		.titles = json_object(),
		.refused = json_array(),
	};
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = read_path(&reading, paths[i], err);
	if (r == 0 && json_object_size(reading.hosts) == 0)
		r = ovi_fail(err, OVL2_E_NOT_FOUND, "no document of ovl2-probe in '%s'%s", paths[0],
		             json_array_size(reading.refused)
		                     ? report_string(json_array_get(reading.refused, 0), "reason")
		                     : "");
	if (r == 0) {
		*ret_fleet = sum_up(&reading);
		r = *ret_fleet ? 0 : ovi_fail_memory(err);
	}
	json_decref(reading.hosts);
	json_decref(reading.titles);
	json_decref(reading.refused);

	return r;
}
