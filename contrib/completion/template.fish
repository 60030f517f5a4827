# fish completion of coracle; made from its --help by contrib/completion/generate.

# __coracle_valued VERB: its options that take a value.
function __coracle_valued
    switch "$argv[1]"
        case ''
            echo @global_valued@
@valued@
    end
end

# The verb, the words after it that are no options, and --root's value, from what has been typed.
function __coracle_parse
    set -g __coracle_verb ''
    set -g __coracle_given 0
    set -g __coracle_root
    set -l option ''
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            test "$option" = --root; and set -g __coracle_root --root $word
            set option ''
        else if string match -q -- '--root=*' $word
            set -g __coracle_root $word
        else if string match -q -- '-*' $word
            contains -- $word (string split -- ' ' (__coracle_valued $__coracle_verb)); and set option $word
        else if test -z "$__coracle_verb"
            set -g __coracle_verb $word
        else
            set -g __coracle_given (math $__coracle_given + 1)
        end
    end
end

# __coracle_at verb: the verb is still to come. __coracle_at VERB [N|more]: it is VERB, with N words.
function __coracle_at
    __coracle_parse
    switch "$argv[1]"
        case verb
            test -z "$__coracle_verb"
        case '*'
            test "$__coracle_verb" = "$argv[1]"; or return 1
            switch "$argv[2]"
                case ''
                    return 0
                case more
                    test $__coracle_given -gt 0
                case '*'
                    test $__coracle_given -eq $argv[2]
            end
    end
end

function __coracle_ids
    __coracle_parse
    set -l program (commandline -opc)[1]
    $program $__coracle_root list --quiet 2>/dev/null
end

complete -c coracle -f
@options@
