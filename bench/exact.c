#include "exact.h"

#include "families.h"
#include "place.h"
#include "site.h"
#include "stats.h"

#include "cleanup.h"
#include "fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

/*
 * Methods are named: "auto" is another one where valgrind lacks system calls. Unmounting
 * is not here: when the kernel has not let go of the superblock yet, for others were busy,
 * it takes a look more.
 */
static const struct exact_case exact_cases[] = {
	{ &bench_layer_create, "none", 16 },
	{ &bench_layer_create, "commit", 16 },
	{ &bench_layer_remove, "none", 16 },

	{ &bench_mount_spec, "relative", 16 },
	{ &bench_mount_depth, "relative", 16 },
	{ &bench_mount_depth, "append", 16 },
	{ &bench_mount_again, "relative", 16 },

	{ &bench_diff, "small", 0 },
	{ &bench_diff, "big", 0 },
	{ &bench_diff_shapes, "whiteouts", 0 },
	{ &bench_diff_shapes, "hard links", 0 },
	{ &bench_diff_shapes, "xattrs", 0 },
	{ &bench_apply, "small", 0 },
	{ &bench_apply, "big", 0 },
	{ &bench_apply_shapes, "whiteouts", 0 },
	{ &bench_apply_shapes, "hard links", 0 },
	{ &bench_apply_shapes, "xattrs", 0 },
	{ &bench_changes, "small", 0 },
	{ &bench_diff_size, "small", 0 },

	{ &bench_scale_open, "stacks of 10", 100 },
	{ &bench_scale_list, "stacks of 10", 100 },
	{ &bench_scale_exists, "stacks of 10", 100 },
	{ &bench_scale_check, "stacks of 10", 100 },
	{ 0 },
};

int exact_has(const struct bench *bench)
{
	const struct exact_case *one = exact_cases;

	while (one->bench && one->bench != bench)
		one++;

	return one->bench != NULL;
}

/* ------------------------------------------------------- in its own process -- */

/* Not 0 once this process does a case. */
static uint64_t made_up;

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's are reserved. */

/*
 * Stands in for libc's, in libovl2 too: it draws names, and how long they take to sort
 * depends on which. A case gets the same ones each time; nobody else notices.
 */
ssize_t getrandom(void *buffer, size_t size, unsigned int flags)
{
	ssize_t length = syscall(SYS_getrandom, buffer, size, flags);

	for (ssize_t i = 0; made_up && i < length; i++)
		((unsigned char *)buffer)[i] = (unsigned char)(stats_draw(&made_up) >> 56);

	return length;
}

/*
 * Stands in for libc's in the same way. The driver looks again at what changed within the
 * last tick of the clock by which files are stamped, and how many of its own changes that
 * is depends on how fast it runs: for a case that clock is ahead, and none is so new.
 */
int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	static int (*libc)(clockid_t clock, struct timespec * ret_now);
	int r;

	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "clock_gettime");
	r = libc(clock, ret_now);
	if (made_up && clock == CLOCK_REALTIME_COARSE)
		ret_now->tv_sec += 3600;

	return r;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#define STACK_PAGE 4096

/*
 * What callgrind counts, by this name. The stack below begins on a page, wherever the
 * arguments and the environment of this process left it: how copies are made depends on
 * the last bits of an address.
 */
int exact_operation(bench_hook *run, struct bench_case *c, struct ovl2_error *err);

__attribute__((noinline, visibility("default"))) int
exact_operation(bench_hook *run, struct bench_case *c, struct ovl2_error *err)
{
	volatile char page[STACK_PAGE] __attribute__((aligned(STACK_PAGE)));
	int r;

	page[0] = 0;
	r = run(c, err);

	return r + page[0];
}

static int call_hook(bench_hook *hook, struct bench_case *c, struct ovl2_error *err)
{
	return hook ? hook(c, err) : 0;
}

/* Where ticks are what files are stamped with, before Linux 6.13, each change has its own. */
static void wait_for_tick(void)
{
	const struct timespec some = { .tv_nsec = 30000000 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL);
}

static int operate(const struct bench_arm *arm, struct bench_case *c, int is_counted,
                   struct ovl2_error *err)
{
	int r = call_hook(arm->before, c, err);

	if (r < 0)
		return r;
	wait_for_tick();
	if (is_counted)
		trace_mark();
	r = exact_operation(arm->run, c, err);
	if (is_counted)
		trace_mark();

	return r < 0 ? r : call_hook(arm->after, c, err);
}

static int do_case(struct bench_case *c, struct ovl2_error *err)
{
	const struct bench *bench = c->bench;
	struct ovl2_error end = { 0 };
	int ended;
	int r;

	r = call_hook(bench->setup, c, err);
	/* The first fills what is kept in memory, of the driver and of libraries. */
	for (int i = 0; i < 2 && r == 0 && !*c->skipped; i++)
		r = operate(&bench->ours, c, i == 1, err);
	ended = call_hook(bench->teardown, c, &end);
	if (r == 0 && ended < 0 && err)
		*err = end;
	if (*c->skipped)
		fputs(c->skipped, stdout);

	return r < 0 ? r : ended;
}

/* Standard input ends when whoever counts is ready. */
static void wait_for_start(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int exact_serve(const char *number, struct ovl2_error *err)
{
	const struct site_options options = { .tier = BENCH_TIER_EXACT, .filesystem = "tmpfs" };
	const struct exact_case *one = &exact_cases[strtoul(number, NULL, 10)];
	struct bench_case c = { .bench = one->bench, .variant = one->variant, .value = one->value };
	struct site site = SITE_NONE;
	int r;

	wait_for_start();
	/* Instead of one that is drawn, by which the order in a hash table differs. */
	json_object_seed(1);
	made_up = 1;
	r = site_open(&options, &site, err);
	if (r == 0)
		r = place_open(options.tier, &c.place, err);
	if (r == 0)
		r = do_case(&c, err);
	place_close(c.place);
	site_close(&site);

	return r;
}

/* ----------------------------------------------------------------- counting -- */

/* What libraries choose by the processor, and what else may differ from host to host. */
static const char *const pins[][2] = {
	{ "GLIBC_TUNABLES",
	  "glibc.cpu.hwcaps=-AVX512F,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512ER,-AVX512PF,-AVX512VL,"
	  "-AVX2,-AVX,-FMA,-FMA4,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,-SSE4_1,-SSE4_2,-SSSE3,-ERMS,"
	  "-FSRM,-RTM,-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy,-Fast_Unaligned_Load:"
	  "glibc.cpu.x86_data_cache_size=32768:glibc.cpu.x86_shared_cache_size=1048576:"
	  "glibc.cpu.x86_non_temporal_threshold=786432" },
	{ "OPENSSL_ia32cap", "0:0" },
	{ "LD_BIND_NOW", "1" },
	{ "LC_ALL", "C" },
};

/* For this process and all that it starts. */
static int hold_still(struct ovl2_error *err)
{
	cpu_set_t set;
	size_t cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return ovi_fail_errno(err, "find the processors of this process");
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return ovi_fail_errno(err, "pin this process to a processor");
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		return ovi_fail_errno(err, "have addresses that are not drawn (personality)");
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++)
		if (setenv(pins[i][0], pins[i][1], 1) < 0)
			return ovi_fail_memory(err);

	return 0;
}

int exact_is_left_out(const char *call)
{
	static const char *const names[] = { "brk",      "mmap",    "munmap", "mremap",
		                             "mprotect", "madvise", "futex",  "sched_yield" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(call, names[i]) == 0)
			return 1;

	return 0;
}

uint64_t exact_count_calls(const struct exact_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < TRACE_CALLS; i++)
		if (!exact_is_left_out(trace_name(i)))
			sum += result->calls.counts[i];

	return sum;
}

/* "valgrind does not know openat2, which this operation calls" */
static int lacks_calls(const struct callgrind *callgrind, struct exact_result *result)
{
	const char *separator = "valgrind does not know ";
	size_t length = 0;

	for (size_t i = 0; i < TRACE_CALLS && length < sizeof(result->uncounted); i++) {
		if (!callgrind->is_unknown[i] || !result->calls.counts[i])
			continue;
		length += (size_t)snprintf(result->uncounted + length,
		                           sizeof(result->uncounted) - length, "%s%s", separator,
		                           trace_name(i));
		separator = ", ";
	}

	return length > 0;
}

static void count_instructions(const char *const *argv, struct exact_result *result,
                               char creator[CALLGRIND_CREATOR_SIZE])
{
	struct callgrind callgrind = { 0 };
	struct ovl2_error err = { 0 };

#if defined(__SANITIZE_ADDRESS__)
	snprintf(result->uncounted, sizeof(result->uncounted),
	         "valgrind cannot run a build with sanitizers");
	return;
#endif
	if (!callgrind_is_there()) {
		snprintf(result->uncounted, sizeof(result->uncounted),
		         "there is no valgrind (apt install valgrind)");
		return;
	}
	if (callgrind_run(argv, "exact_operation", &callgrind, &err) == 0 &&
	    !lacks_calls(&callgrind, result) && !callgrind.instructions)
		ovi_fail(&err, OVL2_E_SYSTEM, "valgrind ran it, and the operation did not begin");
	memcpy(creator, callgrind.creator, sizeof(callgrind.creator));
	if (err.code) {
		result->is_failed = 1;
		snprintf(result->uncounted, sizeof(result->uncounted), "%.255s", err.message);
	} else if (!*result->uncounted) {
		result->instructions = callgrind.instructions;
	}
}

static int count_case(const char *program, struct exact_results *results,
                      struct exact_result *result, struct ovl2_error *err)
{
	cleanup_fd int output = memfd_create("reason", MFD_CLOEXEC);
	struct ovl2_error failure = { 0 };
	char number[32];
	const char *const argv[] = { program, EXACT_ARGUMENT, number, NULL };

	if (output < 0)
		return ovi_fail_errno(err, "make room for what a case says");
	snprintf(number, sizeof(number), "%td", result->which - exact_cases);
	if (trace_run(argv, output, &result->calls, &failure) < 0) {
		result->is_failed = 1;
		snprintf(result->skipped, sizeof(result->skipped), "%s", failure.message);
		return 0;
	}
	if (pread(output, result->skipped, sizeof(result->skipped) - 1, 0) < 0)
		return ovi_fail_errno(err, "read what a case says");
	if (!*result->skipped)
		count_instructions(argv, result, results->creator);

	return 0;
}

static int is_wanted(const struct bench *const *benches, const struct bench *bench)
{
	while (*benches && *benches != bench)
		benches++;

	return *benches != NULL;
}

int exact_run(const struct bench *const *benches, const volatile sig_atomic_t *stop,
              struct exact_results *results, struct ovl2_error *err)
{
	char program[PATH_MAX];
	int r = hold_still(err);

	if (r < 0)
		return r;
	if (!realpath("/proc/self/exe", program))
		return ovi_fail_errno(err, "find this program");
	results->list = calloc(ARRAY_SIZE(exact_cases), sizeof(*results->list));
	if (!results->list)
		return ovi_fail_memory(err);

	for (const struct exact_case *one = exact_cases; one->bench && !*stop && r == 0; one++) {
		struct exact_result *result = &results->list[results->count];

		if (!is_wanted(benches, one->bench))
			continue;
		result->which = one;
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r\033[K%s %s", one->bench->id, one->variant);
		r = count_case(program, results, result, err);
		if (!*stop)
			results->count++;
	}
	results->is_complete = r == 0 && !*stop;

	return r;
}
