"""Which values of a configuration are secret: `secret: true` in the package's JSON Schema.

It is an annotation: JSON Schema itself passes over it. A path is keys joined by dots; `[]` is
any item of a list, `*` any key that the schema does not name. References within the schema
(`#/...`) are followed; what lies behind any other counts as secret.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opmas.core.documents.fields import shown, shown_key
from opmas.errors import InvalidError

KEY: Final = "secret"
HIDDEN: Final = "(secret)"
DEPTH: Final = 32  # of a configuration; a schema may refer to itself
VISITED: Final = 4_000  # subschemas; more than any that a person wrote

# Keywords of the drafts 7 and 2020-12 whose value is a schema, several, or several by name; with
# the step that they take in a configuration.
_ONE: Final = {
    "additionalProperties": ("*",),
    "unevaluatedProperties": ("*",),
    "items": ("[]",),
    "additionalItems": ("[]",),
    "unevaluatedItems": ("[]",),
    "contains": ("[]",),
    "if": (),
    "then": (),
    "else": (),
    "not": (),
}
_LIST: Final = {"allOf": (), "anyOf": (), "oneOf": (), "prefixItems": ("[]",), "items": ("[]",)}
_NAMED: Final = {"patternProperties": ("*",), "dependentSchemas": (), "dependencies": ()}
_REFERRED: Final = ("$defs", "definitions")

Step = tuple[str, ...]


def secret_paths(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the path of every value that the schema calls secret, like `smtp.password`."""
    return tuple(sorted(_written(steps) for steps in _secrets(schema)))


def without_secrets(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration as it may be shown: `(secret)` in the place of each secret."""
    secrets = _secrets(schema)
    if () in secrets:
        return dict.fromkeys(config, HIDDEN)
    return {
        key: _hidden(item, {each[1:] for each in secrets if each[0] in {key, "*"}})
        for key, item in config.items()
    }


def with_secrets(
    config: Mapping[str, Any], known: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the configuration with each `(secret)` exchanged for the known value of its place.

    So what was shown can be changed and given back. `InvalidError` when there is none: nobody
    means that word itself.
    """
    lost: list[str] = []
    found: dict[str, Any] = _restored(config, known, _secrets(schema), "config", lost)
    if lost:
        raise InvalidError(
            f'cannot use this configuration: {lost[0]}: "{HIDDEN}" stands for a value that is '
            "not known here: give the value itself",
            tuple(f'{path}: must be the value itself, not "{HIDDEN}"' for path in lost),
        )
    return found


def secret_problems(schema: Mapping[str, Any], path: str) -> tuple[tuple[str, str], ...]:
    """Return what is wrong with the schema's `secret:` annotations, as paths and reasons."""
    found = []
    pending: list[tuple[object, str, int]] = [(schema, path, 0)]
    while pending:
        node, place, depth = pending.pop()
        if not isinstance(node, Mapping) or depth > DEPTH:
            continue
        reason = _annotation_reason(node) if KEY in node else ""
        if reason:
            found.append((f"{place}.{KEY}", reason))
        pending += [(each, f"{place}.{where}", depth + 1) for each, _, where in _below(node)]
        for shelf in _REFERRED:
            pending += [
                (each, f"{place}.{shelf}.{shown_key(str(key))}", depth + 1)
                for key, each in _items(node.get(shelf))
            ]
    return tuple(sorted(found))


def _annotation_reason(schema: Mapping[str, Any]) -> str:
    if not isinstance(schema[KEY], bool):
        return f"must be true or false, not {shown(schema[KEY])}"
    if schema[KEY] and schema.get("type") != "string":
        return "needs type: string beside it: only text can be a secret"
    return ""


def _secrets(schema: Mapping[str, Any]) -> set[Step]:
    """Return the paths of all secrets; of a schema too large to follow, that all is one."""
    found: set[Step] = set()
    seen: set[tuple[int, Step]] = set()
    pending: deque[tuple[object, Step]] = deque([(schema, ())])
    while pending:
        node, path = pending.popleft()
        if not isinstance(node, Mapping) or (id(node), path) in seen or len(path) > DEPTH:
            continue
        if len(seen) == VISITED:
            return {()}
        seen.add((id(node), path))
        if node.get(KEY) is True or _leads_away(node):
            found.add(path)
        pending += [(each, (*path, *step)) for each, step, _ in _below(node)]
        pending.append((_target(schema, node.get("$ref")), path))
    return found


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[object, Step, str]]:
    """Yield each subschema with its step in a configuration and its place in the schema."""
    for key, item in _items(schema.get("properties")):
        yield item, (str(key),), f"properties.{shown_key(str(key))}"
    for keyword, step in _ONE.items():
        if keyword in schema:
            yield schema[keyword], step, keyword
    for keyword, step in _LIST.items():
        several = schema.get(keyword)
        for position, item in enumerate(several if isinstance(several, list | tuple) else ()):
            yield item, step, f"{keyword}[{position}]"
    for keyword, step in _NAMED.items():
        for key, item in _items(schema.get(keyword)):
            yield item, step, f"{keyword}.{shown_key(str(key))}"


def _items(value: object) -> list[tuple[object, object]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _leads_away(schema: Mapping[str, Any]) -> bool:
    """Return whether the schema goes on where only a validator finds it, by an anchor."""
    reference = schema.get("$ref", "#")
    anchored = isinstance(reference, str) and reference[:2] not in {"#", "#/"}
    return anchored or "$dynamicRef" in schema or "$recursiveRef" in schema


def _target(schema: object, reference: object) -> object:
    """Return what a reference such as `#/$defs/level` leads to, or None."""
    if not isinstance(reference, str) or reference[:2] not in {"#", "#/"}:
        return None
    found = schema
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _written(path: Step) -> str:
    words = (step if step in {"*", "[]"} else shown_key(step) for step in path)
    return ".".join(words).replace(".[]", "[]")


def _hidden(value: object, secrets: set[Step]) -> object:
    if () in secrets:
        return HIDDEN
    if not secrets:
        return value
    if isinstance(value, Mapping):
        return {
            key: _hidden(item, {each[1:] for each in secrets if each[0] in {key, "*"}})
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        below = {each[1:] for each in secrets if each[0] == "[]"}
        return [_hidden(item, below) for item in value]
    return value


def _restored(value: Any, known: Any, secrets: set[Step], path: str, lost: list[str]) -> Any:
    """Return the value with what is known in the place of what is hidden."""
    if value == HIDDEN and () in secrets:
        if known is None:
            lost.append(path)
        return known
    if isinstance(value, Mapping):
        before = known if isinstance(known, Mapping) else {}
        return {
            key: _restored(
                item, before.get(key), _under(secrets, key), f"{path}.{shown_key(key)}", lost
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        there = known if isinstance(known, list | tuple) else ()
        return [
            _restored(
                item,
                there[at] if at < len(there) else None,
                _under(secrets, "[]"),
                f"{path}[{at}]",
                lost,
            )
            for at, item in enumerate(value)
        ]
    return value


def _under(secrets: set[Step], step: str) -> set[Step]:
    """Return the secrets below that step; of what is secret as a whole, all is."""
    matches = {step} if step == "[]" else {step, "*"}
    below = {each[1:] for each in secrets if each and each[0] in matches}
    return below | {()} if () in secrets else below
