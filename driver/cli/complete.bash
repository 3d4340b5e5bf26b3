
# Layers are directories of the store that hold a diff; nothing is run, nothing made.
_ovl2_layers()
{
	local home=/var/lib/ovl2 i layer

	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		[[ ${COMP_WORDS[i]} != --home && ${COMP_WORDS[i]} != -H ]] && continue
		home=${COMP_WORDS[i + 1]}
		[[ $home == = ]] && home=${COMP_WORDS[i + 2]}
	done
	for layer in "$home"/*/diff; do
		layer=${layer%/diff}
		[[ -e $home/${layer##*/}/link ]] && printf '%s\n' "${layer##*/}"
	done
}

# _ovl2_offer KIND CONTEXT adds to COMPREPLY what begins with $cur.
_ovl2_offer()
{
	local found=()

	case $1 in
	file) compopt -o filenames; mapfile -t found < <(compgen -f -- "$cur") ;;
	dir) compopt -o filenames; mapfile -t found < <(compgen -d -- "$cur") ;;
	layer) mapfile -t found < <(compgen -W "$(_ovl2_layers)" -- "$cur") ;;
	list) mapfile -t found < <(compgen -W "$("${2%% *}" --list 2>/dev/null |
		awk '/^[a-z0-9_]+ / { print $1 } /^  [a-z0-9_]+: / { print substr($1, 1, length($1) - 1) }')" \
		-- "$cur") ;;
	words) mapfile -t found < <(compgen -W "$3" -- "$cur") ;;
	esac
	COMPREPLY+=("${found[@]}")
}

_ovl2()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local context=${COMP_WORDS[0]##*/} i word kind commands=''

	COMPREPLY=()
	# "--home=/x" comes as three words.
	[[ $cur == = ]] && cur=''
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n ${_ovl2_values["$context $word"]-} ]]; then
			[[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++))
			((i++))
		elif [[ $word != -* ]]; then
			[[ -n ${_ovl2_leads["$context $word"]-} ]] || break
			context=${_ovl2_leads["$context $word"]}
		fi
	done

	kind=${_ovl2_values["$context $prev"]-}
	if [[ -n $kind ]]; then
		# shellcheck disable=SC2086 # "words a b" is a kind and its words
		_ovl2_offer "${kind%% *}" "$context" "${kind#* }"
		return
	fi
	if [[ $cur == -* ]]; then
		_ovl2_offer words "$context" "${_ovl2_words["$context"]-}"
		return
	fi
	for word in "${!_ovl2_leads[@]}"; do
		[[ ${word% *} == "$context" ]] && commands+=" ${word##* }"
	done
	_ovl2_offer words "$context" "$commands"
	for kind in ${_ovl2_operands["$context"]-}; do
		_ovl2_offer "$kind" "$context"
	done
}
