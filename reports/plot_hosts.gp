# Ours over the floor on several hosts, a row a case.
#
# Blocks 0 to HOSTS - 1: a row with the host's name, then rows of
#     row, ratio, low, high, the case's name
# Numbers given: ROWS, HOSTS, LEFT, RIGHT.

set logscale x
set xrange [LEFT:RIGHT]
set yrange [ROWS - 0.4:-0.6]
set xtics ("0.01×" 0.01, "0.1×" 0.1, "0.5×" 0.5, "1×" 1, "2×" 2, "5×" 5, "10×" 10, \
	"100×" 100, "1000×" 1000, "10000×" 10000)
set ytics scale 0
set border 1 lc rgb MUTED
set grid xtics lt -1 lw 0.8 lc rgb GRID
set key tmargin left reverse Left horizontal maxcols 3 width 2
set arrow 1 from 1, graph 0 to 1, graph 1 nohead lw 1.6 lc rgb MUTED back
place(i) = 0.6 * ((i + 0.5) / HOSTS - 0.5)

plot for [i = 0:HOSTS - 1] ARG1 index i using 3:($1 + place(i)):($4 - $3):(0) \
		with vectors nohead lw 2 lc rgb COLOR[i + 1] notitle, \
	for [i = 0:HOSTS - 1] ARG1 index i using 2:($1 + place(i)) \
		with points pt POINT[i + 1] ps 0.8 lc rgb COLOR[i + 1] title columnheader(1), \
	for [i = 0:HOSTS - 1] ARG1 index i using (NaN):1:ytic(5) with points notitle
