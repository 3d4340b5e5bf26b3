#include "page.h"

#include "document.h"
#include "html.h"
#include "text.h"

#include <string.h>

static void add_row(struct ovi_strbuf *page, const char *name, const char *value)
{
	if (*value)
		html(page, "<tr><th scope=\"row\">%</th><td>%</td></tr>\n", name, value);
}

static void add_size(struct ovi_strbuf *page, const char *name, double bytes)
{
	if (bytes > 0)
		add_row(page, name, report_size(bytes).text);
}

static void add_number(struct ovi_strbuf *page, const char *name, const json_t *number)
{
	char text[32];

	if (!json_is_number(number))
		return;
	snprintf(text, sizeof(text), "%.4g", json_number_value(number));
	add_row(page, name, text);
}

static void add_map(struct ovi_strbuf *page, const char *name, json_t *map)
{
	struct ovi_strbuf line = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(map, key, value)
	{
		const char *text = json_string_value(value);

		ovi_strbuf_addf(&line, "%s%s %s", line.length ? ", " : "", key,
		                text ? text : "unknown");
	}
	if (line.text)
		add_row(page, name, line.text);
	page->failed |= line.failed;
	ovi_strbuf_release(&line);
}

static void add_host(struct ovi_strbuf *page, const json_t *host)
{
	add_row(page, "Host", report_string(host, "name"));
	add_row(page, "System", report_string(host, "os"));
	add_row(page, "Kernel", report_string(host, "kernel"));
	add_row(page, "Kernel build", report_string(host, "kernel_build"));
	add_row(page, "Machine", report_string(host, "machine"));
	add_row(page, "Processor", report_string(host, "cpu"));
	add_number(page, "Processors online", json_object_get(host, "cpu_count"));
	add_size(page, "Memory", report_number(host, "memory_bytes"));
	add_number(page, "Load at the start", json_object_get(host, "load_average"));
	add_size(page, "Page", report_number(host, "page_bytes"));
	add_map(page, "Overlay module", json_object_get(host, "overlay_parameters"));
	add_map(page, "Libraries", json_object_get(host, "libraries"));
}

static void add_target(struct ovi_strbuf *page, const json_t *target)
{
	add_row(page, "Target", report_string(target, "path"));
	add_row(page, "Filesystem", report_string(target, "filesystem"));
	add_row(page, "Mounted at", report_string(target, "mount_point"));
	add_row(page, "Mount options", report_string(target, "mount_options"));
	add_row(page, "Device", report_string(target, "device"));
	add_row(page, "Source", report_string(target, "source"));
	add_size(page, "Image", report_number(target, "image_bytes"));
}

static void add_percent(struct ovi_strbuf *page, const char *name, const json_t *percent)
{
	char text[32];

	if (!json_is_number(percent))
		return;
	snprintf(text, sizeof(text), "%.1f %%", json_number_value(percent));
	add_row(page, name, text);
}

static void add_conditions(struct ovi_strbuf *page, const json_t *conditions)
{
	const json_t *before = json_object_get(conditions, "before");
	const json_t *during = json_object_get(conditions, "during");
	const json_t *turbo = json_object_get(conditions, "turbo");

	add_number(page, "Pinned to processor", json_object_get(conditions, "cpu"));
	add_row(page, "Frequency governor", report_string(conditions, "governor"));
	if (json_is_boolean(turbo))
		add_row(page, "Turbo", json_is_true(turbo) ? "on" : "off");
	add_percent(page, "Waits for processors before",
	            json_object_get(before, "cpu_waits_percent"));
	add_percent(page, "Waits for disks before", json_object_get(before, "io_waits_percent"));
	add_percent(page, "Stolen meanwhile", json_object_get(during, "stolen_percent"));
	add_percent(page, "Waits for processors meanwhile",
	            json_object_get(during, "cpu_waits_percent"));
	add_percent(page, "Waits for disks meanwhile", json_object_get(during, "io_waits_percent"));
}

static void add_document(struct ovi_strbuf *page, const char *caption, const json_t *document)
{
	if (!document)
		return;

	html(page, "<table class=\"environment\">\n<caption>%</caption>\n<tbody>\n", caption);
	add_row(page, "Started", report_string(document, "started"));
	add_row(page, "Version", report_string(document, "version"));
	add_target(page, json_object_get(document, "target"));
	add_host(page, json_object_get(document, "host"));
	add_conditions(page, json_object_get(document, "conditions"));
	ovi_strbuf_add(page, "</tbody>\n</table>\n");
}

/* Two documents of one machine agree on these. */
static int is_same_host(const struct report_documents *documents)
{
	const json_t *probe = json_object_get(documents->probe, "host");
	const json_t *bench = json_object_get(documents->bench, "host");

	return strcmp(report_string(probe, "name"), report_string(bench, "name")) == 0 &&
	       strcmp(report_string(probe, "kernel"), report_string(bench, "kernel")) == 0;
}

void report_add_environment_section(struct ovi_strbuf *page,
                                    const struct report_documents *documents)
{
	ovi_strbuf_add(page, "<section id=\"environment\">\n<h2>Environment</h2>\n");
	if (documents->probe && documents->bench && !is_same_host(documents))
		ovi_strbuf_add(page, "<p class=\"note\"><b>Note:</b> the host or its kernel is not "
		                     "the same for probes and benchmarks.</p>\n");
	ovi_strbuf_add(page, "<div class=\"pair\">\n");
	add_document(page, "Where the probes ran", documents->probe);
	add_document(page, "Where the benchmarks ran", documents->bench);
	add_document(page, "Where operations were counted", documents->exact);
	ovi_strbuf_add(page, "</div>\n</section>\n");
}
