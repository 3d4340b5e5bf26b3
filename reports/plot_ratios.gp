# Ours over the floor, with intervals. Rows: label, ratio, low, high, text.
# Numbers given: ROWS, LEFT, RIGHT.

set logscale x
set xrange [LEFT:RIGHT]
set yrange [ROWS - 0.4:-0.6]
# As many marks as have room for their names.
set xtics ("0.001×" 0.001, "0.01×" 0.01, "0.1×" 0.1, "1×" 1, "10×" 10, "100×" 100, \
	"1000×" 1000, "10000×" 10000, "100000×" 100000)
if (RIGHT / LEFT <= 150) {
	set xtics ("0.01×" 0.01, "0.02×" 0.02, "0.05×" 0.05, "0.1×" 0.1, "0.2×" 0.2, \
		"0.5×" 0.5, "1×" 1, "2×" 2, "5×" 5, "10×" 10, "20×" 20, "50×" 50, "100×" 100)
}
if (RIGHT / LEFT <= 4) {
	set xtics ("0.4×" 0.4, "0.5×" 0.5, "0.6×" 0.6, "0.8×" 0.8, "1×" 1, "1.25×" 1.25, \
		"1.6×" 1.6, "2×" 2, "2.5×" 2.5, "3.2×" 3.2)
}
if (RIGHT / LEFT <= 1.7) {
	set xtics ("0.6×" 0.6, "0.7×" 0.7, "0.8×" 0.8, "0.9×" 0.9, "1×" 1, "1.1×" 1.1, \
		"1.2×" 1.2, "1.3×" 1.3, "1.4×" 1.4)
}
set ytics scale 0
set border 1 lc rgb MUTED
set grid xtics lt -1 lw 0.8 lc rgb GRID
unset key
set arrow 1 from 1, graph 0 to 1, graph 1 nohead lw 1.6 lc rgb MUTED back
set rmargin 9

plot ARG1 using 3:0:($4 - $3):(0) with vectors nohead lw 2.5 lc rgb COLOR[1] notitle, \
	ARG1 using 2:0:ytic(1) with points pt 7 ps 0.9 lc rgb COLOR[1] notitle, \
	ARG1 using (RIGHT):0:(stringcolumn(5)) with labels left offset 0.8,0 \
		textcolor rgb FG notitle
