#include "probe.h"

#include <string.h>

/* What wrapped text fills, its indent included. */
#define TEXT_COLUMNS 80
#define INDENT "         "

struct style {
	FILE *out;
	int in_color;
};

static const char *color_of(const struct style *style, enum probe_verdict verdict)
{
	static const char *const colors[PROBE_VERDICT_COUNT] = {
		[PROBE_PASS] = "\033[32m", [PROBE_FAIL] = "\033[1;31m",
		[PROBE_WARN] = "\033[33m", [PROBE_UNDECIDED] = "\033[35m",
		[PROBE_INFO] = "\033[36m",
	};

	return style->in_color ? colors[verdict] : "";
}

static const char *color_end(const struct style *style)
{
	return style->in_color ? "\033[0m" : "";
}

static void print_wrapped(FILE *out, const char *text)
{
	size_t column = TEXT_COLUMNS;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + 1 + length > TEXT_COLUMNS) {
			fprintf(out, "%s%s", column == TEXT_COLUMNS ? INDENT : "\n" INDENT, "");
			column = strlen(INDENT);
		} else {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_lines(FILE *out, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		fprintf(out, INDENT "%.*s\n", (int)length, text);
		text += length;
		text += *text == '\n';
	}
}

static void print_finding(const struct style *style, const struct probe_finding *finding)
{
	fprintf(style->out, "%s%-7s%s  %-14s  %-7s  %s\n", color_of(style, finding->verdict),
	        probe_verdict_name(finding->verdict), color_end(style), finding->probe->id,
	        probe_answer_name(finding->outcome.answer), finding->outcome.evidence);

	if (finding->verdict != PROBE_FAIL && finding->verdict != PROBE_WARN)
		return;
	print_wrapped(style->out, finding->probe->why);
	print_lines(style->out, finding->probe->remedy);
}

/* ": d_type, max_depth" - the required ones that stand in the way. */
static void print_culprits(const struct style *style, const struct probe_survey *survey,
                           enum probe_verdict verdict)
{
	const char *before = ": ";

	for (size_t i = 0; i < survey->count; i++) {
		const struct probe_finding *finding = &survey->findings[i];

		if (finding->verdict != verdict || finding->need->level != PROBE_REQUIRED)
			continue;
		fprintf(style->out, "%s%s", before, finding->probe->id);
		before = ", ";
	}
}

void probe_survey_print(const struct probe_survey *survey, int in_color, FILE *out)
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
	enum probe_verdict verdict = conclusions[survey->conclusion].verdict;
	const struct style style = { out, in_color };

	for (size_t i = 0; i < survey->count; i++)
		print_finding(&style, &survey->findings[i]);

	fprintf(out, "\n%s%s%s for %s on %s (%s)", color_of(&style, verdict),
	        conclusions[survey->conclusion].words, color_end(&style), survey->profile->id,
	        survey->path, filesystem ? filesystem : "unknown filesystem");
	if (survey->conclusion != PROBE_QUALIFIED)
		print_culprits(&style, survey, verdict);
	fputc('\n', out);
}
