"""Answers about what went wrong: problem details of RFC 9457.

`code` says which error it is (docs/reference/errors.md), so `type` stays `about:blank` and
`title` is the status in words, as the RFC wants it then.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException, InternalServerError

from opmas import errors
from opmas.errors import OpmasError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger(__name__)

RETRY_AFTER: Final = 2  # seconds; a restart of the manager takes less

# The most specific class first.
STATUS: Final[Mapping[type[OpmasError], HTTPStatus]] = {
    errors.UnknownAgentError: HTTPStatus.NOT_FOUND,
    errors.UnknownPackageError: HTTPStatus.NOT_FOUND,
    errors.UnknownVersionError: HTTPStatus.NOT_FOUND,
    errors.UnknownChangeError: HTTPStatus.NOT_FOUND,
    errors.AgentExistsError: HTTPStatus.PRECONDITION_FAILED,  # RFC 9110 13.1.2: If-None-Match
    errors.RevisionError: HTTPStatus.PRECONDITION_FAILED,
    errors.TransitionError: HTTPStatus.CONFLICT,
    errors.GrantError: HTTPStatus.CONFLICT,
    errors.InUseError: HTTPStatus.CONFLICT,
    errors.VersionTakenError: HTTPStatus.CONFLICT,
    errors.BundleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.VersionTakenError: HTTPStatus.CONFLICT,
    errors.BundleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AccessDeniedError: HTTPStatus.FORBIDDEN,
    errors.RequestError: HTTPStatus.BAD_REQUEST,
    errors.DiskSpaceError: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.BackendError: HTTPStatus.SERVICE_UNAVAILABLE,
}
HTTP_CODES: Final = {
    401: "unauthenticated",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    411: "length-required",
    413: "body-too-large",
    415: "unsupported-media-type",
    500: "internal-error",
    503: "too-many-waiting",
}


def status_of(error: OpmasError) -> HTTPStatus:
    """Return the HTTP status of the error's class."""
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(error: OpmasError, status: HTTPStatus | None = None) -> Response:
    """Return the answer about an error of OPMAS."""
    return _answer(status or status_of(error), error.code, error.message, error.problems)


def document(
    status: HTTPStatus, code: str, detail: str, problems: Iterable[str], path: str
) -> str:
    """Return the text of a problem document."""
    members = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "problems": list(problems),
        "instance": path,
    }
    return json.dumps(members) + "\n"


def install(app: Flask) -> None:
    """Make every error of the app a problem document."""
    app.register_error_handler(OpmasError, _on_opmas_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_fault)


def _on_opmas_error(error: OpmasError) -> Response:
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s: %s", request.method, request.url_rule, error.message)
    return problem(error)


def _on_http_error(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    code = HTTP_CODES.get(status.value, "invalid-request")
    answer = _answer(status, code, _sentence(error))
    for key, value in error.get_headers():
        if key.lower() not in {"content-type", "content-length"}:
            answer.headers[key] = value
    if status is HTTPStatus.UNAUTHORIZED:
        sent = ', error="invalid_token"' if "Authorization" in request.headers else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="opmas"{sent}'  # RFC 6750 3
    return answer


def _on_fault(error: Exception) -> Response:
    # url_rule and not the path: what a client made up does not belong in the journal
    logger.error("%s %s: a fault", request.method, request.url_rule, exc_info=error)
    return _on_http_error(InternalServerError())


def _answer(status: HTTPStatus, code: str, detail: str, problems: Iterable[str] = ()) -> Response:
    text = document(status, code, detail, problems, request.path)
    answer = Response(text, status.value, mimetype="application/problem+json")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


SENTENCES: Final = {
    404: "there is no such resource",
    405: "the resource does not know this method; `Allow` lists the ones it knows",
    413: "the body is larger than 1 MiB",
    415: "the body must be `Content-Type: application/json`",
    500: "a fault in the API: `journalctl -u opmas-api` on the host has the details",
}


def _sentence(error: HTTPException) -> str:
    if error.description == type(error).description:  # werkzeug's own words speak of URLs
        return SENTENCES.get(error.code or 500, error.description or "")
    return error.description or ""
