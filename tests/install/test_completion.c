// SPDX-License-Identifier: MIT
#include "release.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a press of the tab key offers, in both shells. $STORE is a store with two layers. */

struct row {
	const char *title;

	/* What was typed so far. */
	const char *typed;

	/* In bash: all that is offered, sorted. */
	const char *offered;
};

static const struct row rows[] = {
	{ "command by its beginning", "ovl2 cre", "create" },
	{ "commands that begin alike", "ovl2 m", "mount" },
	{ "commands after an option and its value", "ovl2 --home /x umo", "umount" },
	{ "commands after an option with '='", "ovl2 --home=/x umo", "umount" },
	{ "option of a command", "ovl2 mount --meth", "--method" },
	{ "option of ovl2 after a command", "ovl2 mount --ho", "--home" },
	{ "words that a value can be", "ovl2 mount --method a", "absolute append auto" },
	{ "words after '='", "ovl2-bench --filesystem=x", "xfs" },
	{ "words with more than one sentence", "ovl2-bench --filesystem ",
	  "all btrfs ext4 tmpfs xfs" },
	{ "another program as a command", "ovl2 probe --prof", "--profile" },
	{ "ids of probes", "ovl2-probe --only d_ty", "d_type" },
	{ "ids of benchmarks, through ovl2", "ovl2 bench --only mount_dep", "mount_depth" },
	{ "layers of the store", "ovl2 --home $STORE mount w", "web" },
	{ "layers with --home behind the command", "ovl2 mount --home $STORE ", "base web" },
	{ "layers as a value", "ovl2 --home $STORE create --parent b", "base" },
	{ "directories of --home", "ovl2 --home $STORE/ba", "$STORE/base" },
	{ "a command of ovl2-report", "ovl2-report matr", "matrix" },
	{ "an option of a command of ovl2-report", "ovl2 report matrix --mark", "--markdown" },
	{ "nothing for a value that is anything", "ovl2 --storage-opt ", "" },
};

static void make_store(const char *path)
{
	free(release_shell(
		"for id in base web; do mkdir -p '%s'/$id/diff; touch '%s'/$id/link; done;"
		"mkdir '%s'/l",
		path, path, path));
}

static void bash_offers(void **state)
{
	const struct test_place *place = *state;
	const struct row *row = place->row;
	cleanup_free char *offered = NULL;
	cleanup_free char *expected = NULL;

	make_store(place->path);
	/* Words are cut as bash cuts them: "=" is one of its own. */
	offered = release_shell(
		"compopt() { :; }; STORE='%s'; . $PREFIX/share/bash-completion/completions/ovl2;"
		"line=\"%s\"; read -ra COMP_WORDS <<<\"${line//=/ = }\";"
		"[[ $line == *[' ='] ]] && COMP_WORDS+=('');"
		"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ovl2;"
		"printf '%%s\\n' \"${COMPREPLY[@]}\" | sort | paste -sd ' '",
		place->path, row->typed);
	expected = release_shell("STORE='%s'; echo \"%s\"", place->path, row->offered);
	assert_string_equal(offered, expected);
}

static void bash_offers_every_option(void **state)
{
	cleanup_free char *missing = NULL;

	(void)state;
	missing = release_shell(
		"compopt() { :; }; . $PREFIX/share/bash-completion/completions/ovl2;"
		"check() { COMP_WORDS=(\"$@\" -); COMP_CWORD=$#; _ovl2;"
		"  for o in $(\"$@\" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE '[-][-].*'); do"
		"  [[ \" ${COMPREPLY[*]} \" == *\" $o \"* ]] || echo \"$* $o\"; done; };"
		"for p in ovl2 ovl2-bench ovl2-probe ovl2-report; do check $p;"
		"  for c in $($p --help | sed -n '/^Commands:/,/^$/s/^  \\([a-z]*\\) .*/\\1/p'); do"
		"  check $p $c; done; done");
	assert_string_equal(missing, "");
}

static void bash_finds_them_by_program(void **state)
{
	(void)state;
	if (access("/usr/share/bash-completion/bash_completion", R_OK) < 0)
		test_skip("bash-completion is not installed; apt-get install bash-completion");
	for (size_t i = 0; i < ARRAY_SIZE(release_programs); i++) {
		cleanup_free char *found =
			release_shell("set +eu; export XDG_DATA_DIRS=$PREFIX/share;"
		                      ". /usr/share/bash-completion/bash_completion;"
		                      "_completion_loader %s; complete -p %s",
		                      release_programs[i], release_programs[i]);

		assert_contains(found, "-F _ovl2 ");
	}
}

struct line {
	const char *title;
	const char *typed;
	const char *becomes;
};

static const struct line zsh_lines[] = {
	{ "command", "ovl2 crea", "ovl2 create" },
	{ "option of a command", "ovl2 mount --meth", "ovl2 mount --method" },
	{ "word of a value", "ovl2 mount --method rel", "ovl2 mount --method relative" },
	{ "another program", "ovl2 probe --prof", "ovl2 probe --profile" },
	{ "id of a probe", "ovl2-probe --only d_ty", "ovl2-probe --only d_type" },
	{ "layer", "ovl2 --home $STORE mount we", "mount web" },
	{ "command of ovl2-report", "ovl2-report matri", "ovl2-report matrix" },
	{ "its option", "ovl2-report matrix --markd", "ovl2-report matrix --markdown" },
	{ "file", "ovl2-report $STORE/probe.j", "probe.json" },
};

/* A shell on a terminal of its own; what it shows after the key is what counts. */
static void zsh_completes(void **state)
{
	const struct test_place *place = *state;
	const struct line *line = place->row;
	cleanup_free char *shown = NULL;

	release_need("zsh", "zsh");
	make_store(place->path);
	shown = release_shell(
		"touch '%s/probe.json'; HOME='%s' timeout 30 zsh -fc '"
		"zmodload zsh/zpty; zpty z zsh -fi; typeset STORE=%s;"
		"zpty -w z \"unset HISTFILE; PS1=; unsetopt beep; fpath=($PREFIX/share/zsh/site-functions \\$fpath);"
		"  autoload -U compinit; compinit -u -D; stty columns 500; cd /; print re\\\"\\\"ady\";"
		"zpty -r z seen \"*ready*\"; zpty -w -n z \"%s\"$'\\''\\t'\\'';"
		"zpty -r -m z seen \"*%s*\" && print -r -- ${seen//[^[:print:]]/}; zpty -d z'",
		place->path, place->path, place->path, line->typed, line->becomes);
	assert_contains(shown, line->becomes);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(zsh_lines) + 2];
	char titles[ARRAY_SIZE(tests)][80];
	size_t count = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++, count++) {
		(void)snprintf(titles[count], sizeof(titles[count]), "bash: %s", rows[i].title);
		tests[count] = test_case(titles[count], bash_offers, &rows[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(zsh_lines); i++, count++) {
		(void)snprintf(titles[count], sizeof(titles[count]), "zsh: %s", zsh_lines[i].title);
		tests[count] = test_case(titles[count], zsh_completes, &zsh_lines[i]);
	}
	tests[count++] = test_case("bash offers every option", bash_offers_every_option, NULL);
	tests[count++] = test_case("bash finds them by program", bash_finds_them_by_program, NULL);
	r = test_run("completion", tests, count, argc, argv);
	release_remove();

	return r;
}
