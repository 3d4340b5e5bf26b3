#pragma once

/*
 * Figures and words for people. Figures carry three significant digits and a unit;
 * they come back by value, so that they can be used inside an argument list.
 */

#include "strbuf.h"

#include <jansson.h>

struct report_word {
	char text[64];
};

/* "561 us" in the page's typography: "561 µs". 0 is "-". */
struct report_word report_duration(double ns);

/* Decimal: "2.00 GB/s". */
struct report_word report_byte_rate(double bytes, double ns);

/* "43,500 files/s", "4.54 M files/s". */
struct report_word report_file_rate(double files, double ns);

/* "1.04×"; three digits. 0 is "-". */
struct report_word report_ratio(double ratio);

/* "1.02 to 1.06×". */
struct report_word report_ratio_interval(double low, double high);

/* Binary: "23.5 GiB". */
struct report_word report_size(double bytes);

/* "2,000,000": whole, with commas. */
struct report_word report_whole(double number);

/* Adds so many of what a parameter counts: "1 directory", "10,000 files", "16 MiB". */
void report_add_amount(struct ovi_strbuf *buf, double value, const char *parameter);

/* Adds the command line so that a shell reads back the same words. */
void report_add_command(struct ovi_strbuf *buf, const json_t *words);
