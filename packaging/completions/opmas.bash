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
                    " agent"|" package"|" change"|" alert"|" bundle"|" key"|" token") ;;
                    *) break ;;
                esac
                ;;
        esac
        ((i++))
    done
    case "$path" in
        "") kind="words:status agent package change alert events bundle key token doctor diagnose version completion"; options="--json --socket --config --version" ;;
        " agent") kind="words:list show history limits create update rollback start stop restart remove logs new explain"; options="--json --socket --config" ;;
        " package") kind="words:list show scan install update rollback remove hold unhold"; options="--json --socket --config" ;;
        " change") kind="words:list show undo wait"; options="--json --socket --config" ;;
        " alert") kind="words:list"; options="--json --socket --config" ;;
        " bundle") kind="words:check build deb inspect verify"; options="--json --socket --config" ;;
        " key") kind="words:new trust list revoke"; options="--json --socket --config" ;;
        " token") kind="words:create list revoke"; options="--json --socket --config" ;;
        " status") kind=""; options="--json --socket --config" ;;
        " agent list") kind=""; options="--phase --package --json --socket --config" ;;
        " agent show") kind="agents"; options="--json --socket --config" ;;
        " agent history") kind="agents"; options="--since --until --lines -n --json --socket --config" ;;
        " agent limits") kind="agents"; options="--apply --dry-run --no-wait --timeout --json --socket --config" ;;
        " agent create") kind="packages"; options="--package --version --config --set --limit --recovery --grant --grant-all --after --stopped --window --dry-run --no-wait --timeout --json --socket" ;;
        " agent update") kind="agents"; options="--package --unset --version --config --set --limit --recovery --grant --grant-all --after --stopped --window --dry-run --no-wait --expect --timeout --json --socket" ;;
        " agent rollback") kind="agents"; options="--version --window --expect --dry-run --no-wait --timeout --json --socket --config" ;;
        " agent start") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent stop") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent restart") kind="agents"; options="--no-wait --timeout --json --socket --config" ;;
        " agent remove") kind="agents"; options="--purge --yes -y --expect --dry-run --no-wait --timeout --json --socket --config" ;;
        " agent logs") kind="agents"; options="--follow -f --lines -n --since --json --socket --config" ;;
        " agent new") kind=""; options="--runtime --directory --json --socket --config" ;;
        " agent explain") kind="agents"; options="--json --socket --config" ;;
        " package list") kind=""; options="--json --socket --config" ;;
        " package show") kind="packages"; options="--json --socket --config" ;;
        " package scan") kind=""; options="--json --socket --config" ;;
        " package install") kind="files"; options="--dry-run --no-wait --timeout --json --socket --config" ;;
        " package update") kind="packages"; options="--version --window --dry-run --no-wait --timeout --json --socket --config" ;;
        " package rollback") kind="packages"; options="--version --window --dry-run --no-wait --timeout --json --socket --config" ;;
        " package remove") kind="packages"; options="--version --dry-run --no-wait --timeout --json --socket --config" ;;
        " package hold") kind="packages"; options="--json --socket --config" ;;
        " package unhold") kind="packages"; options="--json --socket --config" ;;
        " change list") kind=""; options="--agent --package --state --active --lines -n --json --socket --config" ;;
        " change show") kind="changes"; options="--json --socket --config" ;;
        " change undo") kind="changes"; options="--dry-run --no-wait --timeout --json --socket --config" ;;
        " change wait") kind="changes"; options="--timeout --json --socket --config" ;;
        " alert list") kind=""; options="--json --socket --config" ;;
        " events") kind=""; options="--follow -f --lines -n --since --after --agent --type --json --socket --config" ;;
        " bundle check") kind="directories"; options="--json --socket --config" ;;
        " bundle build") kind="directories"; options="--output --key --password-file --unsigned --wheels --fetch --json --socket --config" ;;
        " bundle deb") kind="files"; options="--output --key --password-file --unsigned --wheels --fetch --json --socket --config" ;;
        " bundle inspect") kind="files"; options="--json --socket --config" ;;
        " bundle verify") kind="files"; options="--json --socket --config" ;;
        " key new") kind=""; options="--output --password --password-file --json --socket --config" ;;
        " key trust") kind="files"; options="--name --valid-until --package --json --socket --config" ;;
        " key list") kind=""; options="--json --socket --config" ;;
        " key revoke") kind=""; options="--reason --json --socket --config" ;;
        " token create") kind=""; options="--name --expires --json --socket --config" ;;
        " token list") kind=""; options="--json --socket --config" ;;
        " token revoke") kind=""; options="--json --socket --config" ;;
        " doctor") kind=""; options="--json --socket --config" ;;
        " diagnose") kind=""; options="--output -o --agent --since --json --socket --config" ;;
        " version") kind=""; options="--json --socket --config" ;;
        " completion") kind="words:bash agents packages changes"; options="--json --socket --config" ;;
    esac
    # the value of an option
    case "$path $before" in
        " agent list --phase") kind="words:registered starting running reloading stopping stopped backoff failed quarantined" ;;
        " agent list --package") kind="packages" ;;
        " agent history --since") kind="" ;;
        " agent history --until") kind="" ;;
        " agent history --lines") kind="" ;;
        " agent history -n") kind="" ;;
        " agent limits --timeout") kind="" ;;
        " agent create --package") kind="packages" ;;
        " agent create --version") kind="" ;;
        " agent create --config") kind="files" ;;
        " agent create --set") kind="" ;;
        " agent create --limit") kind="" ;;
        " agent create --recovery") kind="" ;;
        " agent create --grant") kind="" ;;
        " agent create --after") kind="agents" ;;
        " agent create --window") kind="" ;;
        " agent create --timeout") kind="" ;;
        " agent update --package") kind="packages" ;;
        " agent update --unset") kind="" ;;
        " agent update --version") kind="" ;;
        " agent update --config") kind="files" ;;
        " agent update --set") kind="" ;;
        " agent update --limit") kind="" ;;
        " agent update --recovery") kind="" ;;
        " agent update --grant") kind="" ;;
        " agent update --after") kind="agents" ;;
        " agent update --window") kind="" ;;
        " agent update --expect") kind="" ;;
        " agent update --timeout") kind="" ;;
        " agent rollback --version") kind="" ;;
        " agent rollback --window") kind="" ;;
        " agent rollback --expect") kind="" ;;
        " agent rollback --timeout") kind="" ;;
        " agent start --timeout") kind="" ;;
        " agent stop --timeout") kind="" ;;
        " agent restart --timeout") kind="" ;;
        " agent remove --expect") kind="" ;;
        " agent remove --timeout") kind="" ;;
        " agent logs --lines") kind="" ;;
        " agent logs -n") kind="" ;;
        " agent logs --since") kind="" ;;
        " agent new --runtime") kind="words:python exec" ;;
        " agent new --directory") kind="directories" ;;
        " package install --timeout") kind="" ;;
        " package update --version") kind="" ;;
        " package update --window") kind="" ;;
        " package update --timeout") kind="" ;;
        " package rollback --version") kind="" ;;
        " package rollback --window") kind="" ;;
        " package rollback --timeout") kind="" ;;
        " package remove --version") kind="" ;;
        " package remove --timeout") kind="" ;;
        " change list --agent") kind="agents" ;;
        " change list --package") kind="packages" ;;
        " change list --state") kind="words:planned applying watching committed reverting reverted revert-failed refused" ;;
        " change list --lines") kind="" ;;
        " change list -n") kind="" ;;
        " change undo --timeout") kind="" ;;
        " change wait --timeout") kind="" ;;
        " events --lines") kind="" ;;
        " events -n") kind="" ;;
        " events --since") kind="" ;;
        " events --after") kind="" ;;
        " events --agent") kind="agents" ;;
        " events --type") kind="" ;;
        " bundle build --output") kind="directories" ;;
        " bundle build --key") kind="files" ;;
        " bundle build --password-file") kind="files" ;;
        " bundle build --wheels") kind="directories" ;;
        " bundle deb --output") kind="directories" ;;
        " bundle deb --key") kind="files" ;;
        " bundle deb --password-file") kind="files" ;;
        " bundle deb --wheels") kind="directories" ;;
        " key new --output") kind="files" ;;
        " key new --password-file") kind="files" ;;
        " key trust --name") kind="" ;;
        " key trust --valid-until") kind="" ;;
        " key trust --package") kind="" ;;
        " key revoke --reason") kind="" ;;
        " token create --name") kind="" ;;
        " token create --expires") kind="" ;;
        " diagnose --output") kind="files" ;;
        " diagnose -o") kind="files" ;;
        " diagnose --agent") kind="agents" ;;
        " diagnose --since") kind="" ;;
        *" --socket") kind="files" ;;
        *" --config") kind="directories" ;;
    esac
    if [[ $word == -* ]]; then
        kind="words:$options --help"
    fi
    case "$kind" in
        agents|packages|changes) kind="words:$(opmas completion "$kind" 2>/dev/null)" ;;
    esac
    case "$kind" in
        files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")) ;;
        directories) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$word")) ;;
        words:*) COMPREPLY=($(compgen -W "${kind#words:}" -- "$word")) ;;
    esac
}
complete -F _opmas opmas
