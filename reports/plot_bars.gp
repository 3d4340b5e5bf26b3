# One benchmark's cases, ours beside the floor beside other tools.
#
# First row: names of ours, the floor and the tools, SHARES in all. Then a row per case:
#     label, then for each of them: figure, low, high, figure as text
# Numbers given: CASES, SHARES, RIGHT, STEP, ARM[]. In words of ours: UNIT.

set xrange [0:RIGHT]
set yrange [CASES - 0.5:-0.5]
set xlabel UNIT
set xtics STEP
set format x "%g"
set ytics scale 0
set border 2 lc rgb MUTED
set grid noytics
set grid xtics lt -1 lw 0.8 lc rgb GRID
set key at screen 0.01, screen 0.99 top left reverse Left horizontal maxcols 1 samplen 1.2
set tmargin 1.5 * SHARES + 0.7
set style fill solid 0.9 noborder
APART = SHARES > 3 ? 0.84 / SHARES : 0.28
THICK = 0.43 * APART
place(i) = $0 + APART * (i - (SHARES - 1) / 2.0)
array FILL[6] = ["#0072b2", "#020202", "#e69f00", "#cc79a7", "#009e73", "#56b4e9"]
fill(i) = FILL[ARM[i + 1]]

plot for [i = 0:SHARES - 1] ARG1 \
		using (0):(place(i)):(0):(column(2 + 4 * i)):(place(i) - THICK):(place(i) + THICK) \
		skip 1 with boxxyerror lc rgb fill(i) notitle, \
	for [i = 0:SHARES - 1] ARG1 \
		using (column(3 + 4 * i)):(place(i)):(column(4 + 4 * i) - column(3 + 4 * i)):(0) \
		skip 1 with vectors nohead lw 1.4 lc rgb FG notitle, \
	for [i = 0:SHARES - 1] ARG1 \
		using (column(4 + 4 * i)):(place(i)):(stringcolumn(5 + 4 * i)) \
		skip 1 with labels left offset 0.6,0 font ",12" textcolor rgb FG notitle, \
	ARG1 using (NaN):0:ytic(1) skip 1 with points notitle, \
	for [i = 0:SHARES - 1] ARG1 using (NaN):(NaN) \
		with boxes lc rgb fill(i) title columnheader(i + 1)
