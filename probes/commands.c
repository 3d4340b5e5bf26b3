#include "commands.h"

#include "cleanup.h"
#include "cli.h"
#include "fail.h"
#include "probe.h"
#include "strbuf.h"

#include <getopt.h>
#include <string.h>

#define EXIT_CODES_64 "  0   done\n  64  the command line makes no sense"

static const struct cli_option json_only[] = {
	{ "json", 'j', NULL, "print JSON" },
	{ .name = NULL },
};

/* Options of a command that has none but --json. */
static int read_json_option(const struct cli_program *program, int argc, char **argv)
{
	int as_json = 0;

	while (cli_next_option(program, argc, argv) != -1)
		as_json = 1;

	return as_json;
}

static void refuse_operands(const struct cli_program *program, int argc, char **argv)
{
	if (optind < argc)
		cli_usage_error(program, "no operands are taken, not '%s'", argv[optind]);
}

/* -------------------------------------------------------------------- list -- */

/* {"docker": "required", ...} of all profiles that need the probe. */
static json_t *list_levels(const char *id)
{
	json_t *levels = json_object();

	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++) {
		const struct probe_need *need = probe_profile_need(profile, id);

		if (need)
			json_object_set_new(levels, profile->id,
			                    json_string(probe_level_name(need->level)));
	}

	return levels;
}

static json_t *describe_probe(const struct probe *probe)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", probe->id, "group",
	                 probe->group, "title", probe->title, "why", probe->why, "how", probe->how,
	                 "since", probe->since, "remedy", probe->remedy, "profiles",
	                 list_levels(probe->id));
}

int command_list(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "ovl2-probe list",
		.usage = "[OPTION...]",
		.about = "Lists all probes: id, what it is about, the question.",
		.options = json_only,
		.examples = "  ovl2-probe list\n"
			    "  ovl2-probe list --json | jq -r '.[] | select(.group == "
			    "\"overlay\").id'",
		.exit_codes = EXIT_CODES_64,
	};
	int as_json = read_json_option(&program, argc, argv);
	json_t *all = as_json ? json_array() : NULL;
	const struct probe *probe;
	int columns = 0;

	refuse_operands(&program, argc, argv);
	for (size_t i = 0; (probe = probe_at(i)); i++)
		if ((int)strlen(probe->id) > columns)
			columns = (int)strlen(probe->id);

	for (size_t i = 0; (probe = probe_at(i)); i++)
		if (as_json)
			json_array_append_new(all, describe_probe(probe));
		else
			printf("%-*s  %-10s  %s\n", columns, probe->id, probe->group, probe->title);

	return as_json ? cli_print_json(&program, all) : cli_finish_output(&program);
}

/* ---------------------------------------------------------------- profiles -- */

static json_t *describe_profile(const struct probe_profile *profile)
{
	json_t *needs = json_array();

	for (const struct probe_need *need = profile->needs; need->id; need++)
		json_array_append_new(needs,
		                      json_pack("{s:s, s:s, s:s, s:s}", "id", need->id, "level",
		                                probe_level_name(need->level), "want",
		                                need->want ? "yes" : "no", "source", need->source));

	return json_pack("{s:s, s:s, s:o}", "id", profile->id, "title", profile->title, "needs",
	                 needs);
}

static void print_profile(const struct probe_profile *profile)
{
	size_t counts[PROBE_ADVISED + 1] = { 0 };

	for (const struct probe_need *need = profile->needs; need->id; need++)
		counts[need->level]++;
	printf("%-18s %3zu %6zu %7zu  %s\n", profile->id, counts[PROBE_REQUIRED],
	       counts[PROBE_WANTED], counts[PROBE_ADVISED], profile->title);
}

static void print_needs(const struct probe_profile *profile)
{
	printf("%s: %s\n", profile->id, profile->title);
	for (const struct probe_need *need = profile->needs; need->id; need++)
		printf("  %-8s  %-3s  %s\n                 %s\n", probe_level_name(need->level),
		       need->want ? "yes" : "no", need->id, need->source);
}

int command_profiles(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "ovl2-probe profiles",
		.usage = "[OPTION...] [NAME...]",
		.about = "Lists the profiles, with how many probes each requires, wants and "
			 "advises; of\n"
			 "those named, what they need and where that is written.",
		.options = json_only,
		.examples = "  ovl2-probe profiles\n"
			    "  ovl2-probe profiles podman\n"
			    "  ovl2-probe profiles --json kubernetes | jq '.[].needs'",
		.exit_codes = EXIT_CODES_64,
	};
	int as_json = read_json_option(&program, argc, argv);
	const struct probe_profile *profile;
	json_t *all = json_array();

	if (optind == argc && !as_json)
		printf("profile            required wanted advised\n");
	for (profile = probe_profiles; optind == argc && profile->id; profile++)
		if (as_json)
			json_array_append_new(all, describe_profile(profile));
		else
			print_profile(profile);
	for (int i = optind; i < argc; i++) {
		profile = probe_profile_find(argv[i]);
		if (!profile)
			cli_usage_error(&program, "there is no profile '%s'", argv[i]);
		if (as_json)
			json_array_append_new(all, describe_profile(profile));
		else
			print_needs(profile);
	}
	if (as_json)
		return cli_print_json(&program, all);
	json_decref(all);

	return cli_finish_output(&program);
}

/* ----------------------------------------------------------------- explain -- */

/* What stands in the remedy for people becomes comments: one block to paste. */
static void print_block(const char *remedy)
{
	while (*remedy) {
		size_t length = strcspn(remedy, "\n");

		if (strncmp(remedy, "  ", 2) == 0)
			printf("%.*s\n", (int)length - 2, remedy + 2);
		else
			printf("# %.*s\n", (int)length, remedy);
		remedy += length;
		remedy += *remedy == '\n';
	}
}

static void explain(const struct probe *probe)
{
	printf("%s (%s)\n%s\n\nWhy it matters: %s\n\nHow it is found out: %s\n\nKnown from: %s\n",
	       probe->id, probe->group, probe->title, probe->why, probe->how, probe->since);

	printf("\nAsked for by:\n");
	for (const struct probe_profile *profile = probe_profiles; profile->id; profile++) {
		const struct probe_need *need = probe_profile_need(profile, probe->id);

		if (need)
			printf("  %-18s %s: %s\n                     %s\n", profile->id,
			       probe_level_name(need->level), need->want ? "yes" : "no",
			       need->source);
	}

	printf("\nWhat to do, to be read and then pasted:\n\n");
	print_block(probe->remedy);
}

int command_explain(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "ovl2-probe explain",
		.usage = "[OPTION...] ID...",
		.about = "Explains probes: what is asked, why it matters, how it is found out, who "
			 "asks for it\n"
			 "and where that is written, what to do about an unwanted answer.",
		.options = json_only,
		.examples = "  ovl2-probe explain d_type",
		.exit_codes = EXIT_CODES_64,
	};
	int as_json = read_json_option(&program, argc, argv);
	json_t *all = json_array();

	if (optind == argc)
		cli_usage_error(&program, "which probe? 'ovl2-probe list' lists them");
	for (int i = optind; i < argc; i++) {
		const struct probe *probe = probe_find(argv[i]);

		if (!probe)
			cli_usage_error(&program,
			                "there is no probe '%s'; 'ovl2-probe list' lists them",
			                argv[i]);
		if (as_json)
			json_array_append_new(all, describe_probe(probe));
		else
			explain(probe);
		if (!as_json && i + 1 < argc)
			printf("\n\n");
	}
	if (as_json)
		return cli_print_json(&program, all);
	json_decref(all);

	return cli_finish_output(&program);
}

/* -------------------------------------------------------------------- diff -- */

/* The worse, the larger; what is not there is as good as nothing. */
static int badness(const struct probe_finding *finding)
{
	static const int scale[PROBE_VERDICT_COUNT] = {
		[PROBE_PASS] = 0, [PROBE_INFO] = 1,      [PROBE_WAIVED] = 2,
		[PROBE_WARN] = 3, [PROBE_UNDECIDED] = 4, [PROBE_FAIL] = 5,
	};

	if (!finding)
		return 0;
	if (finding->verdict == PROBE_UNDECIDED && !probe_finding_is_culprit(finding))
		return scale[PROBE_INFO];

	return scale[finding->verdict];
}

struct change {
	const char *id;
	const struct probe_finding *old; /* NULL: not there */
	const struct probe_finding *new; /* NULL: not there */
};

/* "worse", "better", "other", or NULL when nothing changed. */
static const char *change_kind(const struct change *change)
{
	int before = badness(change->old);
	int after = badness(change->new);

	if (!change->old || !change->new)
		return change->new &&probe_finding_is_culprit(change->new) ? "worse" : "other";
	if (before != after)
		return after > before ? "worse" : "better";
	if (change->old->outcome.answer != change->new->outcome.answer ||
	    change->old->outcome.value != change->new->outcome.value)
		return "other";

	return NULL;
}

static const struct probe_finding *find_finding(const struct probe_survey *survey, const char *id)
{
	for (size_t i = 0; i < survey->count; i++)
		if (strcmp(survey->findings[i].probe->id, id) == 0)
			return &survey->findings[i];

	return NULL;
}

static json_t *describe_side(const struct probe_finding *finding)
{
	if (!finding)
		return json_null();

	return json_pack("{s:s, s:s, s:s, s:I}", "answer",
	                 probe_answer_name(finding->outcome.answer), "verdict",
	                 probe_verdict_name(finding->verdict), "evidence",
	                 finding->outcome.evidence, "value", (json_int_t)finding->outcome.value);
}

static void print_side(const char *word, const struct probe_finding *finding)
{
	if (finding)
		printf("        %s %s, %s: %s\n", word, probe_verdict_name(finding->verdict),
		       probe_answer_name(finding->outcome.answer), finding->outcome.evidence);
	else
		printf("        %s not asked\n", word);
}

/* Adds it to `list`, or prints it when that is NULL. Returns 1 when it got worse. */
static int show_change(const struct change *change, json_t *list)
{
	const char *kind = change_kind(change);

	if (!kind)
		return 0;

	if (list) {
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:o, s:o}", "id", change->id, "change",
		                                kind, "old", describe_side(change->old), "new",
		                                describe_side(change->new)));
	} else {
		printf("%-6s  %s\n", kind, change->id);
		print_side("was:", change->old);
		print_side("is: ", change->new);
	}

	return strcmp(kind, "worse") == 0;
}

static int show_changes(const struct probe_survey *old, const struct probe_survey *new,
                        json_t *list)
{
	int worse = 0;

	for (size_t i = 0; i < old->count; i++) {
		const char *id = old->findings[i].probe->id;
		const struct change change = { id, &old->findings[i], find_finding(new, id) };

		worse |= show_change(&change, list);
	}
	for (size_t i = 0; i < new->count; i++) {
		const char *id = new->findings[i].probe->id;
		const struct change change = { id, NULL, &new->findings[i] };

		if (!find_finding(old, id))
			worse |= show_change(&change, list);
	}

	return worse;
}

static const struct cli_program diff_program = {
	.name = "ovl2-probe diff",
	.usage = "[OPTION...] OLD.json NEW.json",
	.about = "Tells what changed between two runs, and whether it got worse; '-' is standard "
		 "input.",
	.options = json_only,
	.examples = "  ovl2-probe --output before.json; apt-get upgrade; reboot\n"
		    "  ovl2-probe --output after.json; ovl2-probe diff before.json after.json",
	.exit_codes = "  0   nothing got worse\n"
		      "  1   a verdict got worse\n"
		      "  2   a document could not be read\n"
		      "  64  the command line makes no sense",
};

static int diff(const struct probe_survey *old, const struct probe_survey *new, int as_json)
{
	json_t *list = as_json ? json_array() : NULL;
	int worse = show_changes(old, new, list);

	if (as_json)
		return cli_print_json(&diff_program,
		                      json_pack("{s:s, s:s, s:s, s:b, s:o}", "format",
		                                "ovl2-probe-diff/1", "old",
		                                probe_conclusion_name(old->conclusion), "new",
		                                probe_conclusion_name(new->conclusion), "worse",
		                                worse, "changes", list)) != 0
		               ? PROBE_UNDETERMINED
		               : worse;

	printf("%s -> %s\n", probe_conclusion_name(old->conclusion),
	       probe_conclusion_name(new->conclusion));

	return cli_finish_output(&diff_program) != 0 ? PROBE_UNDETERMINED : worse;
}

int command_diff(int argc, char **argv)
{
	int as_json = read_json_option(&diff_program, argc, argv);
	struct probe_survey *surveys = calloc(2, sizeof(*surveys));
	struct ovl2_error err = { 0 };
	int r;

	if (argc - optind != 2)
		cli_usage_error(&diff_program, "two documents, not %d", argc - optind);
	r = surveys ? probe_survey_read(&surveys[0], argv[optind], &err) : ovi_fail_memory(&err);
	if (surveys && r == 0)
		r = probe_survey_read(&surveys[1], argv[optind + 1], &err);
	if (surveys && r == 0)
		r = diff(&surveys[0], &surveys[1], as_json);
	for (int i = 0; surveys && i < 2; i++)
		probe_survey_release(&surveys[i]);
	free(surveys);
	if (r >= 0)
		return r;
	cli_report_error(&diff_program, &err);

	return PROBE_UNDETERMINED;
}
