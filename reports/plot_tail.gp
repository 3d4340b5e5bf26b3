# How long the slowest calls take: percentiles, the rare ones stretched.
#
# Blocks 0 to SERIES - 1: a row with the case's name, then rows of
#     1 / (1 - percentile), ours, the floor
# Numbers given: SERIES, BOTTOM, TOP.

set logscale xy
set xrange [1.7:1300]
set yrange [BOTTOM:TOP]
set xtics ("p50" 2, "p90" 10, "p99" 100, "p99.9" 1000)
set ytics (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, \
	20000, 50000, 100000, 200000, 500000, 1000000)
set xlabel "calls that are faster"
set ylabel "time of a call, µs"
set key tmargin left reverse Left horizontal maxcols 3 width 2

plot for [i = 0:SERIES - 1] ARG1 index i using 1:3 \
		with lines lw 1.2 dt (4,3) lc rgb COLOR[i + 1] notitle, \
	for [i = 0:SERIES - 1] ARG1 index i using 1:2 \
		with linespoints lw 2 pt POINT[i + 1] ps 0.7 lc rgb COLOR[i + 1] \
		title columnheader(1), \
	NaN with lines lw 1.2 dt (4,3) lc rgb MUTED title "floor: bare system calls"
