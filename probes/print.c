#include "format.h"

#include "cleanup.h"
#include "escape.h"

#include <string.h>

/* What wrapped text fills, its indent included. */
#define TEXT_COLUMNS 80
#define INDENT "         "

struct style {
	struct ovi_strbuf *out;
	int in_color;

	/* Of the longest id. */
	int id_columns;
};

static const char *color_of(const struct style *style, enum probe_verdict verdict)
{
	static const char *const colors[PROBE_VERDICT_COUNT] = {
		[PROBE_PASS] = "\033[32m", [PROBE_FAIL] = "\033[1;31m",
		[PROBE_WARN] = "\033[33m", [PROBE_UNDECIDED] = "\033[35m",
		[PROBE_INFO] = "\033[36m", [PROBE_WAIVED] = "\033[33m",
	};

	return style->in_color ? colors[verdict] : "";
}

static const char *color_end(const struct style *style)
{
	return style->in_color ? "\033[0m" : "";
}

/* Text of a document, in which anything may be. */
static void add_plain(struct ovi_strbuf *out, const char *text, size_t length)
{
	cleanup_free char *part = strndup(text, length);

	if (part)
		ovi_escape_controls(out, part);
	else
		out->failed = 1;
}

static void add_wrapped(struct ovi_strbuf *out, const char *text)
{
	size_t column = TEXT_COLUMNS;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + 1 + length > TEXT_COLUMNS) {
			ovi_strbuf_add(out, column == TEXT_COLUMNS ? INDENT : "\n" INDENT);
			column = strlen(INDENT);
		} else {
			ovi_strbuf_add(out, " ");
			column++;
		}
		add_plain(out, text, length);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	ovi_strbuf_add(out, "\n");
}

static void add_lines(struct ovi_strbuf *out, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		ovi_strbuf_add(out, INDENT);
		add_plain(out, text, length);
		ovi_strbuf_add(out, "\n");
		text += length;
		text += *text == '\n';
	}
}

static void add_waiver(struct ovi_strbuf *out, const struct probe_finding *finding,
                       const struct probe_survey *survey)
{
	const struct probe_waiver *waiver = finding->waiver;

	if (finding->verdict == PROBE_WAIVED)
		ovi_strbuf_addf(out, INDENT "Waived until %s", waiver->expires);
	else if (finding->verdict == PROBE_PASS)
		ovi_strbuf_addf(out, INDENT "Needs its waiver until %s no more", waiver->expires);
	else if (probe_waiver_is_expired(finding, survey))
		ovi_strbuf_addf(out, INDENT "Its waiver expired on %s", waiver->expires);
	else
		ovi_strbuf_addf(out, INDENT "A waiver until %s does not help against not knowing",
		                waiver->expires);
	if (waiver->approved_by)
		ovi_strbuf_addf(out, ", approved by %s", waiver->approved_by);
	ovi_strbuf_addf(out, ": %s\n", waiver->reason);
}

static void add_finding(const struct style *style, const struct probe_finding *finding,
                        const struct probe_survey *survey)
{
	ovi_strbuf_addf(style->out, "%s%-7s%s  %-*s  %-7s  %s\n", color_of(style, finding->verdict),
	                probe_verdict_name(finding->verdict), color_end(style), style->id_columns,
	                finding->probe->id, probe_answer_name(finding->outcome.answer),
	                finding->outcome.evidence);

	if (finding->waiver)
		add_waiver(style->out, finding, survey);
	if (finding->verdict != PROBE_FAIL && finding->verdict != PROBE_WARN)
		return;
	add_wrapped(style->out, finding->probe->why);
	add_lines(style->out, finding->probe->remedy);
}

/* ": d_type, max_depth" - the required ones that stand in the way. */
static void add_culprits(const struct style *style, const struct probe_survey *survey,
                         enum probe_verdict verdict)
{
	const char *before = ": ";

	for (size_t i = 0; i < survey->count; i++) {
		const struct probe_finding *finding = &survey->findings[i];

		if (finding->verdict != verdict || !probe_finding_is_culprit(finding))
			continue;
		ovi_strbuf_addf(style->out, "%s%s", before, finding->probe->id);
		before = ", ";
	}
}

static void add_chosen(struct ovi_strbuf *out, const json_t *target, const char *words)
{
	const char *chosen = json_string_value(json_object_get(target, "chosen"));

	if (!chosen)
		return;
	ovi_strbuf_add(out, "Looked at ");
	ovi_escape_controls(out, format_fact(target, "path"));
	ovi_strbuf_addf(out, "%s: ", words);
	ovi_escape_controls(out, chosen);
	ovi_strbuf_add(out, "\n");
}

static void add_conclusion(const struct style *style, const struct probe_survey *survey)
{
	static const struct {
		const char *words;
		enum probe_verdict verdict;
	} conclusions[] = {
		[PROBE_QUALIFIED] = { "QUALIFIED", PROBE_PASS },
		[PROBE_NOT_QUALIFIED] = { "NOT QUALIFIED", PROBE_FAIL },
		[PROBE_UNDETERMINED] = { "UNDETERMINED", PROBE_UNDECIDED },
	};
	const char *filesystem = json_string_value(json_object_get(survey->target, "filesystem"));
	const json_t *also = json_object_get(survey->target, "also");
	const char *path = format_fact(survey->target, "path");
	enum probe_verdict verdict = conclusions[survey->conclusion].verdict;

	ovi_strbuf_add(style->out, "\n");
	add_chosen(style->out, survey->target, "");
	add_chosen(style->out, also,
	           json_is_true(json_object_get(also, "same_filesystem"))
	                   ? " as well, on the same filesystem"
	                   : " as well");
	ovi_strbuf_addf(style->out, "%s%s%s for %s on ", color_of(style, verdict),
	                conclusions[survey->conclusion].words, color_end(style),
	                survey->profile->id);
	ovi_escape_controls(style->out, path);
	ovi_strbuf_add(style->out, " (");
	ovi_escape_controls(style->out, filesystem ? filesystem : "unknown filesystem");
	ovi_strbuf_add(style->out, ")");
	if (survey->conclusion != PROBE_QUALIFIED)
		add_culprits(style, survey, verdict);
	if (survey->verdict_counts[PROBE_WAIVED])
		ovi_strbuf_addf(style->out, ", %zu waived", survey->verdict_counts[PROBE_WAIVED]);
	if (survey->not_asked_count > 0)
		ovi_strbuf_add(style->out, "; ");
	format_add_partial(style->out, survey);
	ovi_strbuf_add(style->out, "\n");
}

static void add_survey(const struct style *style, const struct probe_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++)
		add_finding(style, &survey->findings[i], survey);
	add_conclusion(style, survey);
}

void format_add_human(struct ovi_strbuf *text, const struct probe_survey *survey, int in_color)
{
	struct style style = { text, in_color, 0 };

	for (size_t i = 0; i < survey->count; i++)
		if ((int)strlen(survey->findings[i].probe->id) > style.id_columns)
			style.id_columns = (int)strlen(survey->findings[i].probe->id);

	add_survey(&style, survey);
}
