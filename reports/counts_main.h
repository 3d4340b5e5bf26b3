#pragma once

/* The part of `ovl2-report compare` that is about counts. */

struct cli_program;

/* Of `ovl2-report compare`, one meaning each; 1 is what everything exits with that went wrong. */
enum {
	REPORT_EXIT_PASS = 0,
	REPORT_EXIT_TROUBLE = 1,
	REPORT_EXIT_REGRESSED = 3,
	REPORT_EXIT_UNSURE = 4,
	REPORT_EXIT_OTHER_PLACE = 5
};

struct report_counts_gate {
	/* As in struct report_counts_options. */
	double tolerance;
	int is_forced;

	int is_strict;
	int is_json;
	int is_markdown;
	int is_junit;

	/* The new one is the base with a fifth more of everything. */
	int is_self_test;
};

/* Is this file a document of ovl2-bench --tier exact? */
int report_has_counts(const char *path);

/* Compares the files and prints; returns an exit code. */
int report_compare_counts(const struct cli_program *program, const struct report_counts_gate *gate,
                          const char *base, const char *fresh);
