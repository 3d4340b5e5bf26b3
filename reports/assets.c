#include "assets.h"

/*
 * C11 cannot include a file as data; the assembler can. The build system names the
 * directory (-Wa,-I) and rebuilds this file when one of them changes.
 */
#define ASSET(name, file)                              \
	__asm__(".section .rodata, \"a\", @progbits\n" \
	        ".global " #name "\n" #name ":\n"      \
	        ".incbin \"" file "\"\n.byte 0\n.previous\n")

ASSET(report_page_css, "page.css");
ASSET(report_plot_common, "plot_common.gp");
ASSET(report_plot_curve, "plot_curve.gp");
ASSET(report_plot_bytes, "plot_bytes.gp");
ASSET(report_plot_bars, "plot_bars.gp");
ASSET(report_plot_hosts, "plot_hosts.gp");
ASSET(report_plot_ratios, "plot_ratios.gp");
ASSET(report_plot_tail, "plot_tail.gp");
ASSET(report_plot_trend, "plot_trend.gp");
