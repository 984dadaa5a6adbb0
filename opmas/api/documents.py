"""Reading what a client sent: the JSON body and the query, with every fault named.

A body that cannot be read is 400, 413 or 415; one with wrong values is 422. Nothing is guessed:
duplicate members, NaN, unknown members and unknown parameters are refused.
"""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from opmas.api.body import PIECE
from opmas.core.documents.fields import FieldError, Fields, Problems, shown
from opmas.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opmas.core.documents.fields import Reader

BODY_LIMIT: Final = 1024 * 1024  # bytes; a line to the manager is no longer either
NESTING_LIMIT: Final = 32
DOING: Final = "read the request"


def read_members(
    members: Mapping[str, Reader[Any]], *, needed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the members of the JSON body that were given; null is not given."""
    problems = Problems()
    body = Fields(_read_json(needed), "", problems)
    found = {}
    for name, reader in members.items():
        if name in needed:
            found[name] = body.need(name, reader, None)
        elif body.has(name):
            found[name] = body.get(name, reader, None)
    body.finish()
    problems.check(DOING)
    return found


def read_query(parameters: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """Return the query's parameters that were given, as their readers make them."""
    problems = Problems()
    for name in request.args:
        if len(request.args.getlist(name)) > 1:
            problems.add(name[:60], "is given twice")
    query = Fields(request.args.to_dict(), "", problems)
    found = {n: query.get(n, reader, None) for n, reader in parameters.items() if query.has(n)}
    query.finish()
    problems.check(DOING, RequestError)
    return found


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the body piece by piece; one that does not come to its end is 400 or 408."""
    while True:
        try:
            piece = stream.read(PIECE)
        except TimeoutError as error:
            raise RequestTimeout(f"{error}") from error
        except OSError as error:
            raise BadRequest(f"the body cannot be read: {error}") from error
        if not piece:
            return
        yield piece


def mapping(value: object) -> dict[str, Any]:
    """Read a JSON object."""
    if isinstance(value, dict):
        return value
    raise FieldError(("", f"must be an object, not {shown(value)}"))


def word(value: object) -> str:
    """Read text of at most 4096 characters; what it may say is the manager's to decide."""
    if isinstance(value, str) and len(value) <= 4096:  # noqa: PLR2004 - the longest path
        return value
    raise FieldError(("", f"must be text of at most 4096 characters, not {shown(value)}"))


def _read_json(needed: frozenset[str]) -> object:
    data = _read_body()
    if not data and not needed:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        value: object = json.loads(
            data.decode(), object_pairs_hook=_members, parse_constant=_constant
        )
        _check(value, NESTING_LIMIT)
    except RecursionError:
        raise RequestError(f"cannot {DOING}: the JSON is nested too deeply") from None
    except ValueError as error:  # also of the decoding, and of numbers with 10,000 digits
        raise RequestError(f"cannot {DOING}: the body is not JSON: {error}") from error
    return value


def _read_body() -> bytes:
    """Return the body, which has a limit with and without a Content-Length.

    werkzeug 2.2 sets none to a chunked body, 3.0 refuses one that is just as long as allowed.
    """
    data = bytearray()
    for piece in pieces(request.stream):
        data += piece
        if len(data) > BODY_LIMIT:
            raise RequestEntityTooLarge
    return bytes(data)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {shown(double)} is given twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check(value: object, depth: int) -> None:
    """Refuse what JSON's grammar lets through and the wire to the manager does not."""
    if depth == 0:
        raise RequestError(f"cannot {DOING}: the JSON is nested more than {NESTING_LIMIT} deep")
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text: UnicodeEncodeError is a ValueError
    elif isinstance(value, float) and value in {float("inf"), float("-inf")}:
        raise ValueError("a number is out of range")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
