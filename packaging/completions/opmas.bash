# bash completion for opmas; made by `opmas completion bash`, not to be edited

_opmas() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local path="" i=1 options="" kind=""
    COMPREPLY=()
    while ((i < COMP_CWORD)); do
        case "${COMP_WORDS[i]}" in
            --socket|--config) ((i++)) ;;
            -*) ;;
            *)
                path+=" ${COMP_WORDS[i]}"
                case "$path" in
                    " agent"|" package"|" token") ;;
                    *) break ;;
                esac
                ;;
        esac
        ((i++))
    done
    case "$path" in
        "") kind="words:status agent package events token doctor version completion"; options="--json --socket --config --version" ;;
        " agent") kind="words:list show create update start stop restart remove logs explain"; options="--json --socket --config" ;;
        " package") kind="words:list show scan"; options="--json --socket --config" ;;
        " token") kind="words:create list revoke"; options="--json --socket --config" ;;
        " status") kind=""; options="--json --socket --config" ;;
        " agent list") kind=""; options="--phase --package --json --socket --config" ;;
        " agent show") kind="agents"; options="--json --socket --config" ;;
        " agent create") kind="packages"; options="--package --config --set --limit --grant --grant-all --after --stopped --dry-run --no-wait --timeout --json --socket" ;;
        " agent update") kind="agents"; options="--package --unset --config --set --limit --grant --grant-all --after --stopped --dry-run --no-wait --timeout --json --socket" ;;
        " agent start") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent stop") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent restart") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent remove") kind="agents"; options="--purge --yes -y --no-wait --timeout --json --socket --config" ;;
        " agent logs") kind="agents"; options="--follow -f --lines -n --since --json --socket --config" ;;
        " agent explain") kind="agents"; options="--json --socket --config" ;;
        " package list") kind=""; options="--json --socket --config" ;;
        " package show") kind="packages"; options="--json --socket --config" ;;
        " package scan") kind=""; options="--json --socket --config" ;;
        " events") kind=""; options="--follow -f --lines -n --since --after --agent --type --json --socket --config" ;;
        " token create") kind=""; options="--name --expires --json --socket --config" ;;
        " token list") kind=""; options="--json --socket --config" ;;
        " token revoke") kind=""; options="--json --socket --config" ;;
        " doctor") kind=""; options="--json --socket --config" ;;
        " version") kind=""; options="--json --socket --config" ;;
        " completion") kind="words:bash agents packages"; options="--json --socket --config" ;;
    esac
    # the value of an option
    case "$path $before" in
        " agent list --phase") kind="words:registered starting running reloading stopping stopped backoff failed quarantined" ;;
        " agent list --package") kind="packages" ;;
        " agent create --package") kind="packages" ;;
        " agent create --config") kind="files" ;;
        " agent create --set") kind="" ;;
        " agent create --limit") kind="" ;;
        " agent create --grant") kind="" ;;
        " agent create --after") kind="agents" ;;
        " agent create --timeout") kind="" ;;
        " agent update --package") kind="packages" ;;
        " agent update --unset") kind="" ;;
        " agent update --config") kind="files" ;;
        " agent update --set") kind="" ;;
        " agent update --limit") kind="" ;;
        " agent update --grant") kind="" ;;
        " agent update --after") kind="agents" ;;
        " agent update --timeout") kind="" ;;
        " agent start --timeout") kind="" ;;
        " agent stop --timeout") kind="" ;;
        " agent restart --timeout") kind="" ;;
        " agent remove --timeout") kind="" ;;
        " agent logs --lines") kind="" ;;
        " agent logs -n") kind="" ;;
        " agent logs --since") kind="" ;;
        " events --lines") kind="" ;;
        " events -n") kind="" ;;
        " events --since") kind="" ;;
        " events --after") kind="" ;;
        " events --agent") kind="agents" ;;
        " events --type") kind="" ;;
        " token create --name") kind="" ;;
        " token create --expires") kind="" ;;
        *" --socket") kind="files" ;;
        *" --config") kind="directories" ;;
    esac
    if [[ $word == -* ]]; then
        kind="words:$options --help"
    fi
    case "$kind" in
        agents|packages) kind="words:$(opmas completion "$kind" 2>/dev/null)" ;;
    esac
    case "$kind" in
        files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")) ;;
        directories) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$word")) ;;
        words:*) COMPREPLY=($(compgen -W "${kind#words:}" -- "$word")) ;;
    esac
}
complete -F _opmas opmas
