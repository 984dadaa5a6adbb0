"""manifest.json: what a bundle is and the digests of all that is in it. This is what is signed."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

from opmas.bundles import limits
from opmas.bundles.archive import check_name
from opmas.core.agent.terms import NAME
from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems
from opmas.core.package.manifest import Runtime
from opmas.errors import BundleError, BundleSizeError, DuplicateMemberError, InvalidError
from opmas.packages.versions import normal

API: Final = "opmas.bundle/v1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.minisig"
AGENT_YAML: Final = "agent.yaml"
WHEELS: Final = "wheels/"
SUFFIX: Final = ".opmas"
KEYS: Final = 32  # of one mapping; the largest has 8

_API: Final = fields.matching(re.compile(re.escape(API)), f'must be "{API}"')
_NAME: Final = fields.matching(NAME, "must be the name of a package")
_SHA256: Final = fields.matching(re.compile(r"[0-9a-f]{64}"), "must be a SHA-256 in hex")
_ARCHITECTURE: Final = fields.matching(
    re.compile(r"[a-z0-9-]{1,32}"), "must be an architecture's name in Debian, like amd64"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the bundle."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """All of manifest.json; `files` are the wheels, in the order in which they come."""

    name: str
    version: str
    runtime: Runtime
    requires_python: str
    architectures: tuple[str, ...]
    agent_yaml: Entry
    files: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return self.agent_yaml.size + sum(entry.size for entry in self.files)

    @property
    def own_distribution(self) -> str:
        """The name of the distribution that holds the package's own code."""
        return f"opmas-agent-{self.name}"


def parse_manifest(content: bytes, *, where: str) -> BundleManifest:
    """Return the manifest in the text, or raise a `BundleError` with every fault."""
    try:
        document = json.loads(content.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"cannot read {where}: {MANIFEST} is no JSON") from error
    problems = Problems()
    top = Fields(_small(document), "", problems)
    top.need("api", _API, API)
    manifest = BundleManifest(
        name=top.need("name", _NAME, ""),
        version=top.need("version", _version, ""),
        runtime=top.need("runtime", fields.one_of(Runtime), Runtime.PYTHON),
        requires_python=top.get("requires_python", _specifier, ""),
        architectures=top.get("architectures", fields.each(_ARCHITECTURE), ()),
        agent_yaml=top.need("agent_yaml", _agent_yaml, Entry(AGENT_YAML, 0, "")),
        files=top.need("files", fields.each(_entry, most=limits.WHEELS), ()),
    )
    top.finish()
    problems.check(f"read {where}: {MANIFEST}", BundleError)
    if render_manifest(manifest) != content:
        raise BundleError(f"cannot read {where}: {MANIFEST} is not in its canonical form")
    _check_files(manifest, where)
    return manifest


def render_manifest(manifest: BundleManifest) -> bytes:
    """Return the canonical text: sorted keys, nothing between, a newline."""
    document = asdict(manifest)
    del document["agent_yaml"]["path"]
    text = json.dumps(
        {"api": API, **document}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return f"{text}\n".encode("ascii")


def file_name(name: str, version: str) -> str:
    """Return the name of the bundle's file."""
    return f"{name}-{version}{SUFFIX}"


def _agent_yaml(value: object) -> Entry:
    problems = Problems()
    section = Fields(_small(value), "", problems)
    entry = Entry(
        AGENT_YAML,
        section.need("size", fields.integer(1, limits.AGENT_YAML_SIZE), 0),
        section.need("sha256", _SHA256, ""),
    )
    return _whole(entry, section)


def _entry(value: object) -> Entry:
    problems = Problems()
    section = Fields(_small(value), "", problems)
    entry = Entry(
        section.need("path", fields.argument, ""),
        section.need("size", fields.integer(0, 2**53), 0),
        section.need("sha256", _SHA256, ""),
    )
    return _whole(entry, section)


def _whole(entry: Entry, section: Fields) -> Entry:
    section.finish()
    problems = (problem.partition(": ") for problem in section.problems.found)
    faults = [(f".{key}" if reason else "", reason or key) for key, _, reason in problems]
    if faults:
        raise FieldError(*faults)
    return entry


def _check_files(manifest: BundleManifest, where: str) -> None:
    paths = [entry.path for entry in manifest.files]
    for path in paths:
        check_name(where, path)
        if path.count("/") != 1 or not path.startswith(WHEELS) or not path.endswith(".whl"):
            raise BundleError(f"cannot read {where}: {path} is no wheel in {WHEELS}")
    if len(set(paths)) != len(paths):
        raise DuplicateMemberError(f"cannot read {where}: {MANIFEST} lists a file twice")
    if paths != sorted(paths):
        raise BundleError(f"cannot read {where}: {MANIFEST} does not list its files in order")
    largest = max((entry.size for entry in manifest.files), default=0)
    if largest > limits.WHEEL_SIZE or manifest.size > limits.BUNDLE_SIZE:
        raise BundleSizeError(
            f"cannot read {where}: {manifest.size} bytes are more than a bundle may have"
        )


def _small(value: object) -> object:
    """Refuse what has so many keys that naming each would take minutes."""
    if isinstance(value, dict) and len(value) > KEYS:
        raise BundleError(f"cannot read {MANIFEST}: a mapping of {len(value)} keys")
    return value


def _version(value: object) -> str:
    found = fields.line(value)
    try:
        if normal(found) == found:
            return found
    except InvalidError:
        pass
    raise FieldError(
        ("", f"must be a version in the normal form of PEP 440, not {fields.shown(value)}")
    )


def _specifier(value: object) -> str:
    found = fields.text(value)
    if len(found) > fields.LINE_LENGTH or not found.isprintable():
        raise FieldError(("", f"must be a version specifier, not {fields.shown(value)}"))
    return found
