# One benchmark over the runs of a history, with its levels.
#
# Block 0: rows of run, value, low, high. Block 1: rows of first run, last run, median.
# Block 2, where CHANGES: rows of run, label. Labels are right of the line where IS_EARLY,
# left of it where IS_LATE; gnuplot 5.4 crashes where labels have no point to be drawn at.
# Numbers given: CHANGES, IS_EARLY, IS_LATE, RUNS, STEP, BOTTOM, TOP. In words of ours: UNIT.

set xrange [0.5:RUNS + 0.5]
set yrange [BOTTOM:TOP]
set xtics STEP, STEP
set xlabel "run"
set ylabel UNIT
set format y "%g"
set tmargin CHANGES > 0 ? 2 : 0.5
unset key

plot for [i = 0:(CHANGES > 0) - 1] ARG1 index 2 using ($1 - 0.5):(BOTTOM):(0):(TOP - BOTTOM) \
		with vectors nohead lw 1.2 dt (6,4) lc rgb MUTED notitle, \
	for [i = 0:IS_EARLY - 1] ARG1 index 2 using ($1 - 0.5):(TOP):2 \
		with labels left offset 0,0.7 font ",12" textcolor rgb FG notitle, \
	for [i = 0:IS_LATE - 1] ARG1 index 2 using ($1 - 0.5):(TOP):2 \
		with labels right offset 0,0.7 font ",12" textcolor rgb FG notitle, \
	ARG1 index 1 using ($1 - 0.5):3:($2 - $1 + 1):(0) \
		with vectors nohead lw 2.5 lc rgb COLOR[2] notitle, \
	ARG1 index 0 using 1:3:(0):($4 - $3) with vectors nohead lw 1 lc rgb COLOR[1] notitle, \
	ARG1 index 0 using 1:2 with points pt 7 ps 0.4 lc rgb COLOR[1] notitle
