"""`opmas bundle check|build|deb|inspect|verify`: what authors make and a host thinks of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import Exit, UsageError
from opmas.cli.keys import default_key, load_secret_key, trust_store
from opmas.cli.text import Palette, plural, render_fields, size, visible, wrap
from opmas.errors import RequestError, from_code

if TYPE_CHECKING:
    from opmas.bundles.minisign import SecretKey
    from opmas.cli.session import Session, View

TRUSTED: Final = "trusted"  # the verdict of a bundle that this host would install


def check_directory(session: Session) -> Exit:
    """Say everything that is wrong with a package's directory."""
    from opmas.bundles.build import check_directory as problems_of

    directory = _directory(session.args.directory)
    problems = list(problems_of(directory))
    document = {"directory": str(directory), "ok": not problems, "problems": problems}
    session.show("opmas.bundle-check/v1", document, _render_check)
    return Exit.FAILED if problems else Exit.OK


def build_bundle(session: Session) -> Exit:
    """Build a bundle and print its path."""
    directory = _directory(session.args.directory)
    key = _signing_key(session)
    return _show_file(session, _build(session, directory, _output(session), key), key)


def build_deb(session: Session) -> Exit:
    """Build a Debian package that carries a bundle, and print its path."""
    from opmas.bundles.transport import build_deb as build

    source, output = Path(session.args.source), _output(session)
    if not source.is_dir():
        _refuse_signing(session)
        return _show_file(session, build(_file(source), output), None)
    key = _signing_key(session)
    with tempfile.TemporaryDirectory(prefix="opmas-bundle-") as folder:
        bundle = _build(session, source, Path(folder), key)
        return _show_file(session, build(bundle, output), key)


def inspect_bundle(session: Session) -> Exit:
    """Show what is in a bundle and who signed it, also when this host would refuse it."""
    session.show("opmas.bundle/v1", _inspected(session), render_bundle)
    return Exit.OK


def verify_bundle(session: Session) -> Exit:
    """End well only when this host would install the bundle."""
    found = _inspected(session)
    if found["verdict"] != TRUSTED:
        raise from_code(found["verdict"], found["reason"])
    session.show("opmas.bundle/v1", found, _render_verified)
    return Exit.OK


def _inspected(session: Session) -> dict[str, Any]:
    from opmas.bundles.inspect import inspect_bundle as inspect

    return inspect(_file(Path(session.args.file)), trust_store(session))


def _build(session: Session, directory: Path, output: Path, key: SecretKey | None) -> Path:
    from opmas.bundles.build import build_bundle as build

    args = session.args
    wheels = Path(args.wheels) if args.wheels else None
    return build(directory, output, secret_key=key, wheels=wheels, fetch=args.fetch)


def _signing_key(session: Session) -> SecretKey | None:
    args = session.args
    if args.unsigned:
        _refuse_signing(session)
        return None
    path = Path(args.key) if args.key else default_key(session)
    if not args.key and not path.exists():
        raise RequestError(
            f"cannot sign the bundle: there is no key {path}",
            ("`opmas key new` makes one; --unsigned builds without",),
        )
    return load_secret_key(session, path)


def _refuse_signing(session: Session) -> None:
    if session.args.key or session.args.password_file:
        raise UsageError("cannot use a key here: nothing is signed")


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise RequestError(f"cannot read {text}: it is no directory")
    return path


def _file(path: Path) -> Path:
    if not path.is_file():
        raise RequestError(f"cannot read {path}: there is no such file")
    return path


def _output(session: Session) -> Path:
    path = Path(session.args.output or ".")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot write to {path}: {(error.strerror or '').lower()}") from error
    return path


def _show_file(session: Session, path: Path, key: SecretKey | None) -> Exit:
    from hashlib import file_digest

    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    document = {
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": digest,
        "key": key.public.id if key else None,
    }
    session.show("opmas.bundle-file/v1", document, _render_path)
    return Exit.OK


def _render_path(document: dict[str, Any], _view: View) -> str:
    """Return the path and nothing else, for `BUNDLE=$(opmas bundle build …)`."""
    return visible(document["path"])


def _render_check(document: dict[str, Any], view: View) -> str:
    if document["ok"]:
        return f"{view.palette.paint('ok', 'good')}: {visible(document['directory'])}"
    count = plural(len(document["problems"]), "problem")
    title = f"{view.palette.paint(count, 'bad')}: {visible(document['directory'])}"
    return "\n".join((title, *(wrap(each, view.width, "  ") for each in document["problems"])))


def render_bundle(document: dict[str, Any], view: View) -> str:
    """Return what is in a bundle, who signed it, and what this host thinks of it."""
    palette = view.palette
    name = palette.paint(f"{document['name']} {document['version']}", "bold")
    fields = [
        ("trust", _trust(document, palette)),
        ("size", size(document["bytes"])),
        ("runtime", visible(document["runtime"])),
        ("python", visible(document["requires_python"] or "")),
        ("for", visible(", ".join(document["architectures"]) or "all architectures")),
        ("digest", visible(document["digest"])),
        ("files", _files(document["files"])),
    ]
    return f"{name}\n{render_fields(fields, palette)}"


def _trust(document: dict[str, Any], palette: Palette) -> str:
    if document["verdict"] != TRUSTED:
        style = "warn" if document["key"] is None else "bad"
        return palette.paint(document["reason"], style)
    return palette.paint(f"signed by {document['key_name']} ({document['key']})", "good")


def _files(files: list[dict[str, Any]]) -> str:
    room = max((len(size(file["size"])) for file in files), default=0)
    return "\n".join(
        f"{size(file['size']).rjust(room)}  {visible(file['path'])}" for file in files
    )


def _render_verified(document: dict[str, Any], view: View) -> str:
    name = view.palette.paint(f"{document['name']} {document['version']}:", "bold")
    return f"{name} {_trust(document, view.palette)}"
