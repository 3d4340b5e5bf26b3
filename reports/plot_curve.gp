# Time against a swept parameter, one curve per variant.
#
# Blocks 0 to SERIES - 1: a row with the variant's name, then rows of
#     value, median, low, high, median of the floor
# Block SERIES, where HAS_LIMITS: rows of value, bottom, height, side, label.
# Numbers given: SERIES, HAS_LIMITS, LEFT, RIGHT, BOTTOM, TOP, STYLE[].
# Given as text, of small letters: PARAMETER.

set logscale xy
set xrange [LEFT:RIGHT]
set yrange [BOTTOM:TOP]
set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 1000, 2000, 5000, 10000, 100000, 1000000)
set ytics (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, \
	20000, 50000, 100000, 1000000)
set xlabel PARAMETER
set ylabel "median time, µs"
set key tmargin left reverse Left horizontal maxcols 3 width 2
set style fill transparent solid 0.2 noborder
color(i) = STYLE[i + 1] == 0 ? FG : COLOR[STYLE[i + 1]]
point(i) = STYLE[i + 1] == 0 ? 6 : POINT[STYLE[i + 1]]
size(i) = STYLE[i + 1] == 0 ? 1.1 : 0.5

plot for [i = 0:HAS_LIMITS - 1] ARG1 index SERIES using 1:2:(0):3 \
		with vectors nohead lw 1.2 dt (6,4) lc rgb MUTED notitle, \
	for [i = 0:HAS_LIMITS - 1] ARG1 index SERIES \
		using ($4 < 0 ? $1 : NaN):($2 * 1.08):5 \
		with labels left rotate by 90 offset -0.8,0 font ",12" textcolor rgb FG notitle, \
	for [i = 0:HAS_LIMITS - 1] ARG1 index SERIES \
		using ($4 > 0 ? $1 : NaN):($2 * 1.08):5 \
		with labels left rotate by 90 offset 1.0,0 font ",12" textcolor rgb FG notitle, \
	for [i = 0:SERIES - 1] ARG1 index i using 1:3:4 \
		with filledcurves lc rgb color(i) notitle, \
	for [i = 0:SERIES - 1] ARG1 index i using 1:(STYLE[i + 1] == 0 ? NaN : $5) \
		with lines lw 1.2 dt (4,3) lc rgb color(i) notitle, \
	for [i = 0:SERIES - 1] ARG1 index i using 1:2 \
		with linespoints lw (STYLE[i + 1] == 0 ? 0.01 : 2) pt point(i) ps size(i) \
		lc rgb color(i) title columnheader(1), \
	NaN with lines lw 1.2 dt (4,3) lc rgb MUTED title "floor: bare system calls"
