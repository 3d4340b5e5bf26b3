# Layers are directories of the store that hold a diff; nothing is run, nothing made. The
# store is named anywhere in the line, before the command or behind it.
_ovl2_layers()
{
	local home=/var/lib/ovl2
	local -a typed layers
	integer i

	typed=(${(z)BUFFER})
	for ((i = 1; i < $#typed; i++)); do
		case $typed[i] in
		--home|-H) home=${(Q)typed[i + 1]} ;;
		--home=*) home=${(Q)typed[i]#--home=} ;;
		esac
	done
	layers=(${home/#\~/$HOME}/*/diff(N:h:t))
	compadd "$@" -a layers
}

# Of the program named last: "id   group  title" of probes, "  id: title" of benchmarks.
_ovl2_list()
{
	local -a ids

	ids=(${(f)"$(_call_program ids "$argv[-1] --list 2>/dev/null |
		sed -nE \"s/^([a-z0-9_]+) .*/\\1/p; s/^  ([a-z0-9_]+): .*/\\1/p\"")"})
	compadd "${(@)argv[1,-2]}" -a ids
}
