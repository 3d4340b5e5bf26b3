# What all drawings share. Before this come WIDTH and HEIGHT; data is in ARG1.
#
# The three greys are stand-ins that the page's style sheet recolours, so that one
# drawing fits light, dark and paper. So are the colours of Okabe and Ito, which
# people with any colour vision can tell apart.
set encoding utf8
set terminal svg size WIDTH,HEIGHT dynamic noenhanced font 'sans-serif,14' rounded
FG = "#010101"
MUTED = "#020202"
GRID = "#030303"
array COLOR[6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
array POINT[6] = [7, 5, 9, 13, 11, 6]

set border 3 lw 1 lc rgb MUTED
set tics nomirror out scale 0.5,0.25 textcolor rgb FG
set grid ytics lt -1 lw 0.8 lc rgb GRID
set xlabel textcolor rgb FG
set ylabel textcolor rgb FG
set key textcolor rgb FG samplen 2 spacing 1.25
