"""Values at the bounds of a JSON Schema: the last that it takes, the first that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    Schema = dict[str, Any]

TEXTS: Final = (
    "", "x", "A", "-a", "a-", "a b", "a\nb", "é", "..", "~1", "*", "*x", '"x"', '"1"', "1.5", "-1",
    "True", "64M", "150%", "1.0%", '"' + "9" * 15 + '"', '"' + "9" * 16 + '"',
    "a" * 63, "a" * 64, "a" * 65, "1" * 100, "1" * 101, "a" * 200, "a" * 201, "a" * 5000,
)  # fmt: skip
NO_TIMES: Final = ("", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z")
TIMES: Final = ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+01:00")
KINDS: Final[tuple[Any, ...]] = (True, 1.5, -1, "x", [], {}, [{}], ["x"], [""])
KNOWN: Final = 4096  # characters; longer ones are not sent as a header


def beyond(schema: Schema) -> list[Any]:
    """Return JSON values that the schema does not take."""
    numbers = [n for key, step in (("minimum", -1), ("maximum", 1)) if key in schema
               for n in [schema[key] + step]]  # fmt: skip
    long = [["a"] * (schema["maxItems"] + 1)] if "maxItems" in schema else []
    return [value for value in (*numbers, *long, *KINDS, *TEXTS) if not takes(schema, value)]


def within(schema: Schema) -> list[Any]:
    """Return JSON values that the schema takes, among them the last at each bound."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return [value for value in schema["enum"] if value is not None]
    numbers = [schema[key] for key in ("minimum", "maximum") if key in schema]
    texts = TEXTS if {"pattern", "maxLength"} & schema.keys() else ()
    full = [within(schema["items"])[:1] * schema["maxItems"]] if "maxItems" in schema else []
    return [value for value in (*numbers, *texts, *full, True) if takes(schema, value)]


def beyond_as_text(schema: Schema) -> list[str]:
    """Return what a parameter that the schema describes may not be, as it is written."""
    if schema.get("format") == "date-time":
        return [*NO_TIMES, "2" * (schema["maxLength"] + 1)]
    numbers = [str(n) for n in beyond(schema) if isinstance(n, int) and not isinstance(n, bool)]
    return [text for text in (*numbers, *TEXTS) if not takes(schema, _read(schema, text))]


def within_as_text(schema: Schema) -> list[str]:
    """Return what a parameter that the schema describes may be, as it is written."""
    if schema.get("format") == "date-time":
        return list(TIMES)
    if schema.get("type") == "boolean":
        return ["true", "false"]
    return [str(value) for value in within(schema)]


def takes(schema: Schema, value: object) -> bool:
    """Tell whether the value fits the schema."""
    return bool(Draft202012Validator(schema).is_valid(value))


def members(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield each member of the object that the schema describes, and of those in it, by path."""
    for name, member in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        yield at, member
        yield from members(member, at)
        if "items" in member:
            yield f"{at}[0]", member["items"]


def body(path: str, value: object) -> dict[str, Any]:
    """Return the object that has the value at that path, and nothing else."""
    name, _, below = path.partition(".")
    if below:
        return {name: body(below, value)}
    return {name.removesuffix("[0]"): [value]} if name.endswith("[0]") else {name: value}


def _read(schema: Schema, text: str) -> object:
    """Return the value that the text is for the type of the schema; the text when it is none."""
    kind = schema.get("type")
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in {"integer", "number"}:
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            return text
    return text
