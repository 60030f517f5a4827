# bash completion of coracle; made from its --help by contrib/completion/generate.
# shellcheck shell=bash

# _coracle_options VERB: its options; of '' the global ones.
_coracle_options() {
    case $1 in
@options@
    esac
}

# _coracle_value VERB OPTION: what its value is, or nothing for a flag.
_coracle_value() {
    case "$1 $2" in
@values@
    esac
}

_coracle() {
    local current=${COMP_WORDS[COMP_CWORD]} verb='' value='' given=0 root='' option='' word i
    COMPREPLY=()
    # The shell makes a word of its own of a "=".
    [ "$current" != = ] || current=''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [ "$word" = = ]; then
            continue
        elif [ -n "$value" ]; then
            [ "$option" != --root ] || root=$word
            value=''
        elif [[ $word == -* && ! ($given -gt 0 && $(_coracle_ends "$verb")) ]]; then
            option=$word
            value=$(_coracle_value "$verb" "$word")
        elif [ -z "$verb" ]; then
            verb=$word
        else
            given=$((given + 1))
        fi
    done
    if [ -n "$value" ]; then
        case $value in
        dir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        words\ *) mapfile -t COMPREPLY < <(compgen -W "${value#words }" -- "$current") ;;
        esac
        [[ $value == words* ]] || compopt -o filenames 2>/dev/null
    elif [[ $given -gt 0 && $(_coracle_ends "$verb") ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames 2>/dev/null
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_coracle_options "$verb")" -- "$current")
    elif [ -z "$verb" ]; then
        mapfile -t COMPREPLY < <(compgen -W '@verbs@' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(_coracle_word "$verb" "$given" "$root")" -- "$current")
    fi
}

# Says yes of a verb whose options end with the container's id.
_coracle_ends() {
    case $1 in
    @with_command@) echo yes ;;
    esac
}

# _coracle_word VERB GIVEN ROOT: what the word may be that follows GIVEN others.
_coracle_word() {
    case $1:$2 in
    @ids@)
        "${COMP_WORDS[0]}" ${3:+--root "$3"} list --quiet 2>/dev/null
        ;;
    @with_signal@) echo '@signals@' ;;
    esac
}

complete -F _coracle coracle
