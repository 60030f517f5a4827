#compdef coracle
# zsh completion of coracle; made from its --help by contrib/completion/generate.

_coracle_ids() {
    local -a ids root
    [[ -z $coracle_root ]] || root=(--root $coracle_root)
    ids=(${(f)"$($coracle_program $root list --quiet 2>/dev/null)"})
    compadd -a ids
}

_coracle() {
    local curcontext=$curcontext state coracle_program=$words[1] coracle_root
    local -a line verbs
    typeset -A opt_args
    verbs=(
@verbs@
    )
    _arguments -C \
        @options@ \
        '1:command:->verb' '*::argument:->rest' && return
    coracle_root=$opt_args[--root]
    case $state in
    verb) _describe command verbs ;;
    rest) _coracle_verb $line[1] ;;
    esac
}

_coracle_verb() {
    case $1 in
@cases@
    esac
}

_coracle "$@"
