"""The values of an agent as options change them. Pure but for reading the file that is named."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import UsageError
from opmas.cli.names import did_you_mean
from opmas.errors import InvalidError

if TYPE_CHECKING:
    import argparse

LIMITS: Final = (
    "memory_max", "memory_high", "tasks_max", "cpu_quota", "cpu_weight", "io_weight",
)  # fmt: skip
RECOVERY: Final = (
    "first_delay", "max_delay", "jitter", "max_failures", "reset_after", "undo", "undo_within",
    "undo_after", "restart_dependency", "slow_probe", "give_up_on",
)  # fmt: skip


def changed_config(config: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration after --config, --unset and --set, in this order."""
    base = read_config(args.config_file) if args.config_file else copy.deepcopy(config)
    for key in getattr(args, "unsets", None) or ():
        _unset(base, key)
    for text in args.sets or ():
        key, equals, value = text.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(
                f'cannot read "--set {text}": write KEY=VALUE, such as interval=30 or cpu.warn=90'
            )
        _set(base, key, parse_value(value))
    return base


def read_config(path: str) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file; `-` is standard input."""
    from opmas.packages.yamlfile import parse_yaml, read_yaml

    stdin = path == "-"
    shown = "standard input" if stdin else path
    found = parse_yaml(sys.stdin.read(), where=shown) if stdin else read_yaml(Path(path))
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidError(f"cannot use {shown}: it must hold names and values, such as a: 1")
    return found


def parse_value(text: str) -> Any:
    """Return the JSON value that the text is, or the text itself."""
    try:
        return json.loads(text, parse_constant=str)  # NaN is no JSON value
    except ValueError:
        return text


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    *outer, last = key.split(".")
    place = config
    for part in outer:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(f'cannot set "{key}": {part} is a value, it holds no names')
        place = inner
    place[last] = value


def _unset(config: dict[str, Any], key: str) -> None:
    *outer, last = key.split(".")
    place: Any = config
    for part in outer:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        hint = did_you_mean(key, config)
        raise UsageError(f'cannot unset "{key}": the configuration does not set it{hint}')
    del place[last]


def changed_limits(limits: dict[str, Any], texts: list[str] | None) -> dict[str, Any]:
    """Return the limits after --limit NAME=VALUE; an empty value forgets one."""
    changed = dict(limits)
    for text in texts or ():
        name, equals, value = text.partition("=")
        if name not in LIMITS or not equals:
            hint = did_you_mean(name, LIMITS) or f": the limits are {', '.join(LIMITS)}"
            raise UsageError(f'cannot read "--limit {text}": write LIMIT=VALUE{hint}')
        if value:
            changed[name] = int(value) if value.isdecimal() else value
        else:
            changed.pop(name, None)
    return changed


def recovery(own: dict[str, Any], texts: list[str] | None) -> dict[str, Any]:
    """Return the member `recovery` of a request after --recovery KEY=VALUE, if there is one.

    An empty value forgets one; a manager from before an upgrade is not asked for what is not set.
    """
    changed = dict(own)
    for text in texts or ():
        name, equals, value = text.partition("=")
        if name not in RECOVERY or not equals:
            hint = did_you_mean(name, RECOVERY) or f": the keys are {', '.join(RECOVERY)}"
            raise UsageError(f'cannot read "--recovery {text}": write KEY=VALUE{hint}')
        if value:
            changed[name] = _recovery_value(name, value)
        else:
            changed.pop(name, None)
    return {"recovery": changed} if changed or own else {}


def _recovery_value(name: str, text: str) -> Any:
    if name == "give_up_on":
        statuses = [part for part in text.split(",") if part]
        return [int(part) if part.isdecimal() else part for part in statuses]
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() else text
