# Bytes that mount(2) is handed, against the number of lowers.
#
# Blocks 0 to SERIES - 1: a row with the variant's name, then rows of
#     lowers, bytes, 1 where it fits or 0
# Numbers given: SERIES, RIGHT, TOP, LIMIT, DOCKER, STYLE[].

set xrange [0:RIGHT]
set yrange [0:TOP]
set xlabel "lowers"
set ylabel "mount data, bytes"
set format y "%'.0f"
set key tmargin left reverse Left horizontal maxcols 3 width 2
color(i) = STYLE[i + 1] == 0 ? FG : COLOR[STYLE[i + 1]]
point(i) = STYLE[i + 1] == 0 ? 6 : POINT[STYLE[i + 1]]
set arrow 1 from 0, LIMIT to RIGHT, LIMIT nohead lw 1.6 lc rgb FG back
set label 1 sprintf("one page less a byte: %.0f", LIMIT) at graph 0.02, first LIMIT left \
	offset 0,0.7 textcolor rgb FG
set arrow 2 from DOCKER, 0 to DOCKER, TOP nohead lw 1.2 dt (6,4) lc rgb MUTED back
set label 2 "Docker: 128" at DOCKER, graph 0.04 left rotate by 90 offset -0.8,0 \
	font ",12" textcolor rgb FG

plot for [i = 0:SERIES - 1] ARG1 index i using 1:2 with lines lw 2 lc rgb color(i) notitle, \
	for [i = 0:SERIES - 1] ARG1 index i using ($3 == 1 ? $1 : NaN):2 \
		with points pt point(i) ps 0.7 lc rgb color(i) title columnheader(1), \
	for [i = 0:SERIES - 1] ARG1 index i using ($3 == 0 ? $1 : NaN):2 \
		with points pt 2 ps 1.0 lw 2 lc rgb color(i) notitle, \
	NaN with points pt 2 ps 1.0 lw 2 lc rgb FG title "does not fit"
