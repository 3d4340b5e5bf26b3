#pragma once

/*
 * Files of this directory that are built into the program, as strings.
 */

extern const char report_page_css[];
extern const char report_plot_common[];
extern const char report_plot_curve[];
extern const char report_plot_bytes[];
extern const char report_plot_bars[];
extern const char report_plot_hosts[];
extern const char report_plot_ratios[];
extern const char report_plot_tail[];
extern const char report_plot_trend[];
