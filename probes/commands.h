#pragma once

/*
 * What ovl2-probe does besides asking: each takes its own command line, whose first
 * word is the command, and returns an exit code.
 */

int command_list(int argc, char **argv);
int command_profiles(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_diff(int argc, char **argv);
