# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One plot of the coll benchmark: gnuplot -e "data='...'; name='...'; to='...'".
# Columns: bytes, hbm, host, group, peer, floor; microseconds, "-" if missing.
set terminal svg size 800,560 background rgb "white"
set output to
set datafile missing "-"
set title "all-reduce, fp32 sum: ".name noenhanced
set xlabel "bytes of a rank"
set ylabel "microseconds, p50"
set logscale x 4
set logscale y 10
set xtics ("8" 8, "32" 32, "128" 128, "512" 512, "2K" 2048, "8K" 8192, "32K" 32768, \
	   "128K" 131072, "512K" 524288, "2M" 2097152, "8M" 8388608, "32M" 33554432)
set grid
set key top left
set style data linespoints
plot data using 1:2 title "vneuron, HBM" lw 2, \
     data using 1:3 title "vneuron, host memory", \
     data using 1:4 title "vneuron, one thread", \
     data using 1:5 title "best peer" lw 2, \
     data using 1:6 title "floor" dashtype 2 linecolor "gray40"
