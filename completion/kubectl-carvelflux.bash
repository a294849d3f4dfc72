# Completes kubectl-carvelflux in bash, also the 3.2 of macOS, and without bash-completion.
#
# bash breaks words at `=`, `:` and `@`, too, which flags and contexts have; here they are whole again for the program, and what
# bash has set apart is taken off what the program answers.
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
    # As the shell would pass them on.
    for ((index = 1; index < count - 1; index++)); do
        word=${words[index]//[\"\'\\]/}
        case $word in '~/'*) word=$HOME/${word:2} ;; esac
        words[index]=$word
    done

    COMPREPLY=()
    local current=${words[count - 1]} quote='' flag='' begun='' answer directive
    case $current in [\"\']*) quote=${current:0:1} current=${current:1} ;; *) current=${current//\\/} ;; esac
    words[count - 1]=$current
    answer=$(kubectl-carvelflux __completeNoDesc "${words[@]:1}" 2>/dev/null) || return 0
    directive=${answer##*:}

    # The program answers the value of a flag with `=` by itself.
    [[ $current == -*=* ]] && flag=${current%%=*}=
    # What bash replaces begins after the last `=` or `:` at which it breaks words, or with the last `@`.
    for ((index = ${#current}; index > 0; index--)); do
        word=${current:index-1:1}
        [[ -z $quote && $word == [=:@] && $COMP_WORDBREAKS == *"$word"* ]] || continue
        [[ $word == @ ]] && ((index -= 1))
        begun=${current:0:index}
        break
    done
    while IFS= read -r word; do
        [[ -z $word || $word == :* ]] && continue
        word=$flag$word
        [[ $word == "$current"* ]] || continue
        word=${word#"$begun"}
        [[ -z $quote && $word == *[!a-zA-Z0-9_./:=@%+,-]* ]] && printf -v word %q "$word"
        COMPREPLY+=("$word")
    done <<<"$answer"

    if ((${#COMPREPLY[@]} == 0)); then
        # The bits are those of cobra's ShellCompDirective.
        local kind=''
        ((directive == 0)) && kind=-f
        ((directive & 16)) && kind=-d
        if [[ -n $kind ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do
                word=$flag$word
                COMPREPLY+=("${word#"$begun"}")
            done < <(compgen "$kind" -- "${current#"$flag"}")
        fi
    elif ((directive & 32)); then
        compopt -o nosort 2>/dev/null
    fi
    case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _kubectl_carvelflux kubectl-carvelflux
