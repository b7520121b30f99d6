# SPDX-License-Identifier: MIT
# Division as BPF has it, in LLVM's text form of a scheduler before any optimisation: x / 0 is 0 and
# x % 0 is x. The kernel's verifier puts the same tests around a program's divisions (7.2:
# do_misc_fixups in kernel/bpf); a native division by zero would end the whole simulation.
# A line is `  %3 = udiv i64 %1, %2`; a constant divisor needs no test. sdiv and srem alike.

$2 == "=" && $3 ~ /^[us](div|rem)$/ && NF == 6 && $6 ~ /^%/ {
	n++
	value = $5
	sub(/,$/, "", value)
	printf "  %%sim.zero%d = icmp eq %s %s, 0\n", n, $4, $6
	printf "  %%sim.divisor%d = select i1 %%sim.zero%d, %s 1, %s %s\n", n, n, $4, $4, $6
	printf "  %%sim.result%d = %s %s %s, %%sim.divisor%d\n", n, $3, $4, value, n
	printf "  %s = select i1 %%sim.zero%d, %s %s, %s %%sim.result%d\n", $1, n, $4, \
		($3 ~ /rem$/ ? value : "0"), $4, n
	next
}
# Any other form would slip through.
$2 == "=" && $3 ~ /^[us](div|rem)$/ && $NF ~ /^%/ {
	print "divide.awk: error: a division in an unknown form: " $0 > "/dev/stderr"
	exit 1
}
{ print }
