#include "daemon.h"

#include "cleanup.h"
#include "fail.h"
#include "file.h"
#include "host_file.h"
#include "strbuf.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SPACE " \t"

/* More than a command line takes: see MAX_ARG_STRLEN, 32 pages. */
#define MAX_CMDLINE_BYTES (1 << 20)

/* Where units are, the first goes before the others: systemd.unit(5). */
static const char *const unit_directories[] = {
	"/etc/systemd/system",     "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system",
};

/* Words are as in /proc/PID/cmdline: each ends with a zero byte. */
struct unit {
	const char *root;

	/* NAME=VALUE of Environment= and EnvironmentFile=, the later goes before the earlier. */
	struct ovi_strbuf variables;

	/* What ExecStart= says, variables as they are. */
	struct ovi_strbuf start;
};

/* ---------------------------------------------------------------- options -- */

/* `word` without dashes when it is an option, else NULL. */
static const char *option_name(const char *word)
{
	size_t dashes = strspn(word, "-");

	return dashes == 1 || dashes == 2 ? word + dashes : NULL;
}

/* The value that `word` (and `next`, which follows it) gives to `name`, or NULL. */
static const char *option_value(const char *word, const char *next, const char *name)
{
	const char *option = option_name(word);
	size_t length = strlen(name);

	if (!option || strncmp(option, name, length) != 0)
		return NULL;
	if (option[length] == '=')
		return option + length + 1;

	return option[length] ? NULL : next;
}

static const char *find_value(const char *words, size_t length, const char *const *names)
{
	const char *end = words + length;
	const char *found = NULL;

	for (const char *word = words; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;

		for (const char *const *name = names; *name; name++) {
			const char *value = option_value(word, next < end ? next : "", *name);

			if (value)
				found = value;
		}
	}

	return found;
}

static int take(const char *value, const char *where, const char *whose,
                struct daemon_option *ret_option, struct ovl2_error *err)
{
	cleanup_free char *copy = strdup(value);
	cleanup_free char *words = NULL;

	if (!copy || asprintf(&words, "%s %s", where, whose) < 0) {
		words = NULL;
		return ovi_fail_memory(err);
	}
	ret_option->value = steal_ptr(&copy);
	ret_option->where = steal_ptr(&words);

	return 1;
}

void daemon_option_release(struct daemon_option *option)
{
	free(option->value);
	free(option->where);
	*option = (struct daemon_option){ NULL, NULL };
}

/* ---------------------------------------------------------------- process -- */

/* In another PID namespace than the host's first process. Unknown is no. */
static int is_in_container(const char *root, const char *directory)
{
	cleanup_free char *first = NULL;
	cleanup_free char *its = NULL;
	char namespaces[2][64] = { "", "" };

	if (asprintf(&first, "%s/proc/1/ns/pid", root) < 0)
		first = NULL;
	if (asprintf(&its, "%s/ns/pid", directory) < 0)
		its = NULL;
	if (!first || !its || readlink(first, namespaces[0], sizeof(namespaces[0]) - 1) < 0 ||
	    readlink(its, namespaces[1], sizeof(namespaces[1]) - 1) < 0)
		return 0;

	return strcmp(namespaces[0], namespaces[1]) != 0;
}

static int is_daemon(const char *words, const char *program)
{
	const char *slash = strrchr(words, '/');

	return strcmp(slash ? slash + 1 : words, program) == 0;
}

/* 1 when `directory`, of a process, is that of the daemon; `ret_words` has its words then. */
static int read_process(const char *root, const char *directory, const struct daemon *daemon,
                        char **ret_words, size_t *ret_length)
{
	cleanup_free char *path = NULL;
	cleanup_free char *words = NULL;
	struct stat st;

	if (asprintf(&path, "%s/cmdline", directory) < 0) {
		path = NULL;
		return 0;
	}

	/* It may have ended by now, which is as good as never having been. */
	if (stat(path, &st) < 0 || st.st_uid != 0 ||
	    ovi_file_read(AT_FDCWD, path, MAX_CMDLINE_BYTES, &words, ret_length, NULL) < 0)
		return 0;
	if (!is_daemon(words, daemon->program) || is_in_container(root, directory))
		return 0;
	*ret_words = steal_ptr(&words);

	return 1;
}

/* 1 when a process of the daemon runs; `ret_option` is empty when it has no such option. */
static int ask_processes(const char *root, const struct daemon *daemon, const char *const *names,
                         struct daemon_option *ret_option, struct ovl2_error *err)
{
	cleanup_free char *pattern = NULL;
	glob_t directories = { 0 };
	int r = 0;

	if (asprintf(&pattern, "%s/proc/[0-9]*", root) < 0) {
		pattern = NULL;
		return ovi_fail_memory(err);
	}
	if (glob(pattern, 0, NULL, &directories) != 0)
		return 0;

	for (size_t i = 0; i < directories.gl_pathc && r == 0; i++) {
		const char *directory = directories.gl_pathv[i];
		cleanup_free char *words = NULL;
		const char *value;
		size_t length;

		if (!read_process(root, directory, daemon, &words, &length))
			continue;
		value = find_value(words, length, names);
		r = value ? take(value, daemon->program, "as it runs", ret_option, err) : 1;
	}
	globfree(&directories);

	return r;
}

/* ------------------------------------------------------------------- unit -- */

static void add_word(struct ovi_strbuf *words, const char *text, size_t length)
{
	ovi_strbuf_add_bytes(words, text, length);
	ovi_strbuf_add_bytes(words, "", 1);
}

/* The words of `line`, with quotes of either kind as systemd.syntax(7) has them. */
static void add_words(struct ovi_strbuf *words, const char *line)
{
	line += strspn(line, SPACE);
	while (*line) {
		char quote = '\0';

		for (; *line && (quote || !strchr(SPACE, *line)); line++) {
			if (*line == quote)
				quote = '\0';
			else if (!quote && (*line == '"' || *line == '\''))
				quote = *line;
			else
				ovi_strbuf_add_bytes(words, line, 1);
		}
		ovi_strbuf_add_bytes(words, "", 1);
		line += strspn(line, SPACE);
	}
}

/* The last value of variable `name`, or NULL. */
static const char *find_variable(const struct unit *unit, const char *name, size_t length)
{
	const char *end = unit->variables.text + unit->variables.length;
	const char *found = NULL;

	for (const char *word = unit->variables.text; word < end; word += strlen(word) + 1)
		if (strncmp(word, name, length) == 0 && word[length] == '=')
			found = word + length + 1;

	return found;
}

static int add_environment_file(struct unit *unit, const char *value, struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	char *rest = NULL;
	int r;

	/* A dash in front: it need not be there. */
	r = host_read(unit->root, value + (*value == '-'), &text, err);
	if (r <= 0)
		return r;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, SPACE);
		if (!strchr("#;", *line) && strchr(line, '=')) {
			cleanup_strbuf struct ovi_strbuf words = { 0 };

			/* Blanks separate nothing here, quotes are taken off. */
			for (const char *byte = line; *byte; byte++)
				if (!strchr("\"'", *byte))
					ovi_strbuf_add_bytes(&words, byte, 1);
			add_word(&unit->variables, words.text ? words.text : "", words.length);
		}
	}

	return 0;
}

static int take_setting(struct unit *unit, const char *line, struct ovl2_error *err)
{
	const char *value = strchr(line, '=');
	size_t length;

	if (!value)
		return 0;
	length = strcspn(line, SPACE "=");
	value += 1 + strspn(value + 1, SPACE);
	if (length == strlen("ExecStart") && strncmp(line, "ExecStart", length) == 0) {
		ovi_strbuf_cut(&unit->start, 0);
		add_words(&unit->start, value + strspn(value, "@-:+!"));
	} else if (length == strlen("Environment") && strncmp(line, "Environment", length) == 0) {
		add_words(&unit->variables, value);
	} else if (strncmp(line, "EnvironmentFile", length) == 0 &&
	           length == strlen("EnvironmentFile")) {
		return add_environment_file(unit, value, err);
	}

	return 0;
}

/* A backslash at its end makes a line go on with the next. */
static void join_lines(char *text)
{
	for (char *at = text; (at = strstr(at, "\\\n"));)
		at[0] = at[1] = ' ';
}

static int read_unit_file(struct unit *unit, const char *path, struct ovl2_error *err)
{
	cleanup_free char *text = NULL;
	char *rest = NULL;
	int r;

	r = host_read(unit->root, path, &text, err);
	if (r <= 0)
		return r;

	join_lines(text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, SPACE);
		if (strchr("#;[", *line))
			continue;
		r = take_setting(unit, line, err);
		if (r < 0)
			return r;
	}

	return 1;
}

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* In the order of their names; of those with one name the first directory's only. */
static int read_drop_ins(struct unit *unit, const glob_t *files, struct ovl2_error *err)
{
	size_t skip = strlen(unit->root);
	const char *last = "";
	int r = 0;

	while (r >= 0) {
		const char *next = NULL;

		for (size_t i = 0; i < files->gl_pathc; i++)
			if (strcmp(base_of(files->gl_pathv[i]), last) > 0 &&
			    (!next || strcmp(base_of(files->gl_pathv[i]), base_of(next)) < 0))
				next = files->gl_pathv[i];
		if (!next)
			return 0;
		last = base_of(next);
		r = read_unit_file(unit, next + skip, err);
	}

	return r;
}

static int read_unit(struct unit *unit, const char *name, struct ovl2_error *err)
{
	glob_t files = { 0 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(unit_directories) && r == 0; i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s", unit_directories[i], name) < 0)
			path = NULL;
		r = path ? read_unit_file(unit, path, err) : ovi_fail_memory(err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unit_directories) && r >= 0; i++) {
		cleanup_free char *pattern = NULL;

		if (asprintf(&pattern, "%s%s/%s.d/*.conf", unit->root, unit_directories[i], name) <
		    0)
			pattern = NULL;
		if (pattern)
			glob(pattern, files.gl_pathc > 0 ? GLOB_APPEND : 0, NULL, &files);
		else
			r = ovi_fail_memory(err);
	}
	if (r >= 0)
		r = read_drop_ins(unit, &files, err);
	globfree(&files);

	return r;
}

/* The words of ExecStart= with what variables stand for in place of these. */
static void expand(const struct unit *unit, struct ovi_strbuf *words)
{
	const char *end = unit->start.text + unit->start.length;

	for (const char *word = unit->start.text; word < end; word += strlen(word) + 1) {
		size_t brace = strncmp(word, "${", 2) == 0;
		const char *name = word + 1 + brace;
		const char *value = NULL;

		if (*word == '$')
			value = find_variable(unit, name, strcspn(name, "}"));
		if (value)
			add_words(words, value);
		else
			add_word(words, word, strlen(word));
	}
}

static int ask_unit(const char *root, const struct daemon *daemon, const char *const *names,
                    struct daemon_option *ret_option, struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf words = { 0 };
	struct unit unit = { .root = root };
	const char *value = NULL;
	int r;

	ovi_strbuf_add(&unit.variables, "");
	r = read_unit(&unit, daemon->unit, err);
	if (r >= 0 && unit.start.length > 0)
		expand(&unit, &words);
	if (r >= 0 && (words.failed || unit.start.failed || unit.variables.failed))
		r = ovi_fail_memory(err);
	if (r >= 0 && words.length > 0)
		value = find_value(words.text, words.length, names);
	ovi_strbuf_release(&unit.start);
	ovi_strbuf_release(&unit.variables);
	if (r < 0)
		return r;

	return value ? take(value, "ExecStart of", daemon->unit, ret_option, err) : 0;
}

int daemon_find_option(const char *root, const struct daemon *daemon, const char *const *names,
                       struct daemon_option *ret_option, struct ovl2_error *err)
{
	int r;

	/* What runs was told all that counts; the unit may have changed since. */
	r = ask_processes(root, daemon, names, ret_option, err);
	if (r != 0)
		return r < 0 ? r : ret_option->value != NULL;

	return ask_unit(root, daemon, names, ret_option, err);
}
