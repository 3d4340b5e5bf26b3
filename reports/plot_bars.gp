# One benchmark's cases, ours beside the floor beside a peer; longer bars.
#
# First row: names of ours, the floor and the peer. Then a row per case:
#     label, then for each of the three: figure, low, high, figure as text
# Numbers given: CASES, HAS_FLOOR, HAS_PEER, RIGHT, STEP. In words of ours: UNIT.

set xrange [0:RIGHT]
set yrange [CASES - 0.5:-0.5]
set xlabel UNIT
set xtics STEP
set format x "%g"
set ytics scale 0
set border 2 lc rgb MUTED
set grid noytics
set grid xtics lt -1 lw 0.8 lc rgb GRID
set key at screen 0.01, screen 0.99 top left reverse Left vertical maxrows 3 samplen 1.2
set tmargin 1.5 * (1 + HAS_FLOOR + HAS_PEER) + 0.7
set style fill solid 0.9 noborder
THICK = 0.12
SHARE = 1 + HAS_FLOOR + HAS_PEER
place(i) = $0 + 0.28 * (i - (SHARE - 1) / 2.0)
array FILL[3] = ["#0072b2", "#020202", "#e69f00"]

plot for [i = 0:SHARE - 1] ARG1 \
		using (0):(place(i)):(0):(column(2 + 4 * i)):(place(i) - THICK):(place(i) + THICK) \
		skip 1 with boxxyerror lc rgb FILL[i + 1] notitle, \
	for [i = 0:SHARE - 1] ARG1 \
		using (column(3 + 4 * i)):(place(i)):(column(4 + 4 * i) - column(3 + 4 * i)):(0) \
		skip 1 with vectors nohead lw 1.4 lc rgb FG notitle, \
	for [i = 0:SHARE - 1] ARG1 \
		using (column(4 + 4 * i)):(place(i)):(stringcolumn(5 + 4 * i)) \
		skip 1 with labels left offset 0.6,0 font ",12" textcolor rgb FG notitle, \
	ARG1 using (NaN):0:ytic(1) skip 1 with points notitle, \
	for [i = 0:SHARE - 1] ARG1 using (NaN):(NaN) \
		with boxes lc rgb FILL[i + 1] title columnheader(i + 1)
