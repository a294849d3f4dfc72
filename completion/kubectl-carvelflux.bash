# Completes kubectl-carvelflux in bash, also the 3.2 of macOS, and without bash-completion.
#
# bash breaks words at `=` and `:` too, which contexts and flags have; here they are whole again for the program, and what bash
# has set apart is taken off what the program answers.
_kubectl_carvelflux() {
    local words=() count=0 rest=${COMP_LINE:0:COMP_POINT} trimmed word index
    for ((index = 0; index <= COMP_CWORD; index++)); do
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        word=${COMP_WORDS[index]}
        # The word at the cursor ends there.
        ((index == COMP_CWORD)) && word=$trimmed
        if ((index > 0)) && [[ $trimmed == "$rest" && -n $rest ]]; then
            words[count - 1]+=$word
        else
            words[count]=$word
            ((count += 1))
        fi
        rest=${trimmed#"$word"}
    done

    COMPREPLY=()
    local current=${words[count - 1]} quote='' answer directive
    case $current in [\"\']*) quote=${current:0:1} current=${current:1} ;; esac
    [[ -z $quote ]] && current=${current//\\/}
    words[count - 1]=$current
    answer=$(kubectl-carvelflux __completeNoDesc "${words[@]:1}" 2>/dev/null) || return 0
    directive=${answer##*:}
    [[ $current == -*=* ]] && current=${current#*=}
    local begun=${current%"${current##*[=:]}"}
    [[ -n $quote || $COMP_WORDBREAKS != *[=:]* ]] && begun=''

    while IFS= read -r word; do
        [[ -z $word || $word == :* ]] && continue
        [[ $word == "$current"* ]] || continue
        word=${word#"$begun"}
        [[ -z $quote && $word == *[!a-zA-Z0-9_./:=@%+,-]* ]] && printf -v word %q "$word"
        COMPREPLY+=("$word")
    done <<<"$answer"

    if ((${#COMPREPLY[@]} == 0)); then
        current=${current##*[=:]}
        # The bits are those of cobra's ShellCompDirective.
        if ((directive & 16)); then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$current")
        elif ((directive == 0)); then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
        fi
    elif ((directive & 32)); then
        compopt -o nosort 2>/dev/null
    fi
    case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _kubectl_carvelflux kubectl-carvelflux
