"""The words that the schemas of `--json` are written in."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]


def kind(name: str, what: str, **more: Any) -> Schema:
    """Return a value of that JSON type; `what` says what it means."""
    return {"type": name, "description": what, **more}


def text(what: str, **more: Any) -> Schema:
    """Return a text."""
    return kind("string", what, **more)


def number(what: str) -> Schema:
    """Return a whole number."""
    return kind("integer", what)


def amount(what: str) -> Schema:
    """Return a number."""
    return kind("number", what)


def flag(what: str) -> Schema:
    """Return true or false."""
    return kind("boolean", what)


def moment(what: str) -> Schema:
    """Return an instant."""
    return text(f"{what} (RFC 3339, UTC)")


def one_of(what: str, *words: str) -> Schema:
    """Return one of the words."""
    return text(what, enum=list(words))


def list_of(what: str, items: Schema) -> Schema:
    """Return a list."""
    return kind("array", what, items=items)


def names(what: str) -> Schema:
    """Return a list of texts."""
    return list_of(what, {"type": "string"})


def map_of(what: str, values: Schema | None = None) -> Schema:
    """Return an object with members of any name."""
    return kind("object", what, **({"additionalProperties": values} if values else {}))


def record(what: str, members: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Return an object with these members, which are always there unless they are optional."""
    required = [name for name in members if name not in optional]
    return kind("object", what, properties=members, required=required)


def or_null(schema: Schema) -> Schema:
    """Return what can be null as well."""
    allowed = [*schema["enum"], None] if "enum" in schema else None
    return {
        **schema,
        "type": [schema["type"], "null"],
        **({"enum": allowed} if allowed else {}),
    }


PROBLEMS: Final = names("every single fault, as `path: reason` where there is a path")
ERROR: Final = record(
    "an error",
    {
        "code": text("what went wrong, for programs: docs/reference/errors.md"),
        "message": text("what went wrong, for people"),
        "problems": PROBLEMS,
    },
)
