"""JSON Schemas of agents' configurations, and configurations held against them.

Imported only by `opmas.packages.validate`, in a process of its own: jsonschema costs 13 MB, and
a schema comes from a package: it may be slow on purpose. Drafts 2020-12 and 7; a schema refers
only to itself (`#...`), so that checking one never reads a file or the network.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from opmas.core.documents.fields import nearest, shown, shown_key
from opmas.core.documents.secret import HIDDEN, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN_PROBLEMS: Final = 20
MESSAGE_LENGTH: Final = 200

_DRAFTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}
_REFERENCES: Final = {"$ref", "$dynamicRef", "$recursiveRef"}


def schema_problems(schema: dict[str, Any], path: str) -> tuple[str, ...]:
    """Return what is wrong with the schema itself, as `path: reason`."""
    draft = str(schema.get("$schema", "")).removesuffix("#")
    if draft and draft not in _DRAFTS:
        return (f"{path}.$schema: must be one of {', '.join(_DRAFTS)}, not {shown(draft)}",)
    found = list(islice(_walk(schema, path), SHOWN_PROBLEMS))
    if not found:
        try:
            _validator(schema).check_schema(schema)
        except SchemaError as error:
            found.append(f"{path}{_below(error.absolute_path)}: {_reason(error)}")
    return tuple(found)


def config_problems(schema: dict[str, Any], config: Any, path: str) -> tuple[str, ...]:
    """Return what in the configuration the schema refuses, as `path: reason`."""
    try:
        errors = list(islice(_validator(schema)(schema).iter_errors(config), SHOWN_PROBLEMS))
    except RecursionError:
        return (f"{path}: cannot be checked: its schema refers to itself without an end",)
    except Exception as error:  # noqa: BLE001 - a reference that leads nowhere has many types
        reason = str(error)[:MESSAGE_LENGTH]
        return (f"{path}: cannot be checked: its schema is wrong: {reason}",)
    shown_config = without_secrets(config, schema) if isinstance(config, dict) else config
    return tuple(
        sorted(
            {
                problem
                for error in errors
                for problem in _problems(error, path, secret=_is_secret(error, shown_config))
            }
        )
    )


def _is_secret(error: ValidationError, shown_config: Any) -> bool:
    """Return whether the value that is refused holds what is not shown."""
    found = shown_config
    for key in error.absolute_path:
        if not isinstance(found, dict | list):  # it lies in something that is hidden as a whole
            return True
        found = found[key]  # type: ignore[index] # a key of a mapping, or a place in a list
    return bool(found != error.instance)


def _validator(schema: dict[str, Any]) -> Any:
    draft = str(schema.get("$schema", "")).removesuffix("#")
    return _DRAFTS.get(draft, Draft202012Validator)


def _walk(value: Any, path: str) -> Iterator[str]:
    """Yield what the drafts allow and OPMAS does not, and patterns that are none."""
    if isinstance(value, dict):
        for key, item in value.items():
            below = f"{path}.{shown_key(key)}"
            reason = _key_reason(key, item)
            if reason:
                yield f"{below}: {reason}"
            yield from _walk(item, below)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _walk(item, f"{path}[{position}]")


def _key_reason(key: str, item: Any) -> str:
    if key in _REFERENCES and isinstance(item, str) and not item.startswith("#"):
        return f'must refer into the schema itself, like "#/$defs/level", not {shown(item)}'
    if key == "$id" and isinstance(item, str):
        return "is refused: a schema has no address here"
    patterns = [item] if key == "pattern" and isinstance(item, str) else []
    if key == "patternProperties" and isinstance(item, dict):
        patterns += list(item)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            return f"{shown(pattern)} is no regular expression: {error}"
    return ""


def _problems(error: ValidationError, path: str, *, secret: bool = False) -> Iterator[str]:
    path += _below(error.absolute_path)
    wanted: Any = error.validator_value
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties" and wanted is False:
        known = list(schema.get("properties", {}))
        patterns = list(schema.get("patternProperties", {}))
        for key in instance:
            if key not in known and not any(re.search(pattern, key) for pattern in patterns):
                yield f"{path}.{shown_key(key)}: unknown key{nearest(key, known)}"
    elif error.validator == "required":
        # one error for each missing key, and only its message names the key: all are said again
        for key in wanted:
            if key not in instance:
                yield f"{path}.{shown_key(key)}: is missing"
    else:
        yield f"{path}: {_reason(error, secret=secret)}"


def _reason(error: ValidationError | SchemaError, *, secret: bool = False) -> str:
    value, wanted = error.validator_value, HIDDEN if secret else shown(error.instance)
    words = {
        "type": lambda: f"must be of type {_listed(value)}, not {wanted}",
        "enum": lambda: f"must be one of {_listed(value)}, not {wanted}",
        "minimum": lambda: f"must be at least {value}, not {wanted}",
        "maximum": lambda: f"must be at most {value}, not {wanted}",
        "exclusiveMinimum": lambda: f"must be above {value}, not {wanted}",
        "exclusiveMaximum": lambda: f"must be below {value}, not {wanted}",
        "pattern": lambda: f"must match {shown(value)}, not {wanted}",
    }
    if error.validator in words:
        return words[str(error.validator)]()[: 2 * MESSAGE_LENGTH]
    message = f'is refused by "{error.validator}" of its schema' if secret else error.message
    return message if len(message) <= MESSAGE_LENGTH else f"{message[: MESSAGE_LENGTH - 3]}..."


def _listed(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(item if isinstance(item, str) else shown(item) for item in value)


def _below(keys: Iterable[str | int]) -> str:
    return "".join(
        f"[{key}]" if isinstance(key, int) else f".{shown_key(str(key))}" for key in keys
    )
