// SPDX-License-Identifier: MIT
#include "catalogue.h"

#include "leftovers.h"

#include "dir.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MAX_PROBES 160

/* Generous: sanitizers, and a machine that does other things as well. */
#define TIMEOUT_MS 30000

static void describe(const struct probe_outcome *outcome, char *text, size_t size)
{
	const char *reason = probe_reason_name(outcome->reason);

	(void)snprintf(text, size, "%s%s%s", probe_answer_name(outcome->answer), reason ? " " : "",
	               reason ? reason : "");
}

static void check_form(const struct probe *probe, const struct probe_outcome *outcome)
{
	if (!*outcome->evidence || strchr(outcome->evidence, '\n') ||
	    strstr(outcome->evidence, ".ovl2-probe-"))
		fail_msg("evidence of %s: '%s'", probe->id, outcome->evidence);
	if ((outcome->answer == PROBE_UNKNOWN) != (outcome->reason != PROBE_REASON_NONE))
		fail_msg("%s has answer %d and reason %d", probe->id, (int)outcome->answer,
		         (int)outcome->reason);
	if (outcome->reason == PROBE_REASON_CRASH || outcome->reason == PROBE_REASON_TIMEOUT)
		fail_msg("%s: %s", probe->id, outcome->evidence);
}

void catalogue_fail_calls(const int *calls, size_t count, int error)
{
	struct sock_filter filter[64] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .filter = filter };
	size_t length = 1;

	for (size_t i = 0; i < count; i++) {
		filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                                (unsigned int)calls[i], 0, 1);
		filter[length++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error);
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)length;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(1);
}

static void check_row(const struct catalogue_row *row, const struct probe *const *probes,
                      const struct probe_outcome *outcomes)
{
	char text[64];
	size_t i = 0;

	while (probes[i] && strcmp(probes[i]->id, row->id) != 0)
		i++;
	if (!probes[i])
		fail_msg("there is no probe '%s'", row->id);
	describe(&outcomes[i], text, sizeof(text));
	if (strcmp(text, row->answer) != 0)
		fail_msg("%s is '%s', not '%s': %s", row->id, text, row->answer,
		         outcomes[i].evidence);
	if (row->words)
		assert_contains(outcomes[i].evidence, row->words);
}

/* In a child, if something is to be prepared first that cannot be undone. */
static void run(const char *path, const struct probe *const *probes, void (*prepare)(void),
                struct probe_outcome *outcomes)
{
	cleanup_fd int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct probe_runner runner = {
		.target = directory,
		.timeout_ms = TIMEOUT_MS,
		.signals = -1,
		.jobs = 2,
	};
	int status = 0;
	pid_t child;

	assert_sys(directory);
	if (!prepare) {
		assert_int_equal(probe_run_all(probes, &runner, outcomes), 0);
		return;
	}

	child = fork();
	assert_sys(child);
	if (child == 0) {
		prepare();
		_exit(probe_run_all(probes, &runner, outcomes));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/*
 * Notes what was answered where count_answers looks for it; in the lab, on a disk that
 * cannot be written to, nobody counts.
 */
static void note_answers(const struct probe *const *probes, const struct probe_outcome *outcomes)
{
	FILE *file = fopen(ANSWERS, "ae");

	for (size_t i = 0; file && probes[i]; i++)
		if (outcomes[i].answer != PROBE_UNKNOWN)
			assert_true(fprintf(file, "%s %s\n", probes[i]->id,
			                    probe_answer_name(outcomes[i].answer)) > 0);
	if (file)
		assert_int_equal(fclose(file), 0);
}

#define OUTCOMES_SIZE (MAX_PROBES * sizeof(struct probe_outcome))

/* Shared with the process that asks. munmap(2) them. */
static struct probe_outcome *new_outcomes(void)
{
	struct probe_outcome *outcomes = mmap(NULL, OUTCOMES_SIZE, PROT_READ | PROT_WRITE,
	                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(outcomes, MAP_FAILED);

	return outcomes;
}

static void ask(const char *path, const struct probe *const *probes, void (*prepare)(void),
                const struct catalogue_row *rows)
{
	struct probe_outcome *outcomes = new_outcomes();
	struct test_resources before = test_resources_count();

	run(path, probes, prepare, outcomes);
	for (size_t i = 0; probes[i]; i++) {
		char text[64];

		describe(&outcomes[i], text, sizeof(text));
		print_message("%-20s %-14s %6.1f ms  %s\n", probes[i]->id, text,
		              outcomes[i].duration_ms, outcomes[i].evidence);
	}
	for (size_t i = 0; probes[i]; i++)
		check_form(probes[i], &outcomes[i]);
	for (; rows->id; rows++)
		check_row(rows, probes, outcomes);

	note_answers(probes, outcomes);
	assert_nothing_left(before);
	assert_sys(munmap(outcomes, OUTCOMES_SIZE));
}

static void find_all(const struct probe *probes[MAX_PROBES])
{
	for (size_t i = 0; i < MAX_PROBES - 1 && (probes[i] = probe_at(i)); i++)
		continue;
}

void catalogue_check(const char *path, const struct catalogue_row *rows)
{
	const struct probe *probes[MAX_PROBES] = { NULL };

	find_all(probes);
	ask(path, probes, NULL, rows);
}

static int is_one_of(const char *const *ids, const char *id)
{
	while (*ids && strcmp(*ids, id) != 0)
		ids++;

	return *ids != NULL;
}

void catalogue_check_rights(const char *path, void (*prepare)(void), const char *const *own)
{
	const struct probe *probes[MAX_PROBES] = { NULL };
	struct probe_outcome *with = new_outcomes();
	struct probe_outcome *without = new_outcomes();
	size_t unknown = 0;
	size_t wrong = 0;

	find_all(probes);
	run(path, probes, NULL, with);
	run(path, probes, prepare, without);
	for (size_t i = 0; probes[i]; i++) {
		check_form(probes[i], &without[i]);
		unknown += without[i].answer == PROBE_UNKNOWN;
		if (without[i].answer == PROBE_UNKNOWN || without[i].answer == with[i].answer ||
		    is_one_of(own, probes[i]->id))
			continue;
		print_message("%s, with rights: %s\nwithout: %s\n", probes[i]->id, with[i].evidence,
		              without[i].evidence);
		wrong++;
	}
	print_message("%zu could not tell\n", unknown);
	assert_int_equal(wrong, 0);
	assert_true(unknown > 0);
	assert_sys(munmap(with, OUTCOMES_SIZE));
	assert_sys(munmap(without, OUTCOMES_SIZE));
}

void catalogue_check_only(const char *path, void (*prepare)(void), const struct catalogue_row *rows)
{
	const struct probe *probes[MAX_PROBES] = { NULL };

	for (size_t i = 0; i < MAX_PROBES - 1 && rows[i].id; i++)
		if (!(probes[i] = probe_find(rows[i].id)))
			fail_msg("there is no probe '%s'", rows[i].id);
	ask(path, probes, prepare, rows);
}
