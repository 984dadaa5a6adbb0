"""The documents about packages, their versions, bundles and keys."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.agents import NEED_RECORD, OPTIONAL_LIMITS
from opmas.cli.schemas.terms import (
    flag,
    list_of,
    map_of,
    moment,
    names,
    number,
    one_of,
    or_null,
    record,
    text,
)

VERSION: Final = record(
    "one installed version",
    {
        "version": text("the version"),
        "source": one_of("where it came from", "bundle", "deb", "directory"),
        "trust": text(
            "who vouches for it: `key`, `dpkg`, or `unsigned` for nobody; empty for a directory"
        ),
        "key": text("the id of the key that signed it; empty without one"),
        "delivered_by": text("the Debian package that carried it; empty without one"),
        "installed_at": or_null(moment("when it was installed")),
        "bytes": or_null(number("what it takes on the disk")),
        "agents": names("agents that run it"),
        "bad_until": or_null(
            moment("it was undone and is not tried again by itself before then; else null")
        ),
    },
)
PACKAGE: Final = record(
    "One agent package.",
    {
        "name": text("the package"),
        "version": text("its version"),
        "summary": text("what it is"),
        "runtime": one_of("what runs", "python", "exec"),
        "source": one_of("where it came from", "bundle", "deb", "directory"),
        "deb": or_null(text("the Debian package")),
        "path": text("its directory"),
        "needs": list_of("what it needs beyond the sandbox", NEED_RECORD),
        "limits": OPTIONAL_LIMITS,
        "agents": names("agents made from it"),
        "state": one_of("whether agents can run from it", "ready", "missing"),
        "versions": list_of("its installed versions", VERSION),
        "held": flag("whether it is held at its version"),
        "requires": names("agents that one of it cannot run without"),
        "wants": names("agents that are started with one of it"),
        "conflicts": names("packages that cannot be here with it"),
        "manifest": map_of("its whole agent.yaml (of one package only)"),
    },
    optional=("manifest",),
)
BUNDLE: Final = record(
    "What a bundle says it is, and what this host thinks of it.",
    {
        "name": text("the package"),
        "version": text("its version"),
        "runtime": one_of("what runs", "python", "exec"),
        "requires_python": text("the versions of Python that it runs on; empty: any"),
        "architectures": names("Debian's names of those that it runs on; none: all"),
        "digest": text("the SHA-256 of its manifest"),
        "bytes": number("its size"),
        "files": list_of(
            "what is in it",
            record(
                "one file",
                {
                    "path": text("its path in the bundle"),
                    "size": number("bytes"),
                    "sha256": text("the SHA-256 of its content"),
                },
            ),
        ),
        "key": or_null(text("the id of the key that signed it; null when it is unsigned")),
        "key_name": or_null(text("the name of that key; null unless this host trusts it")),
        "comment": or_null(text("the comment that is signed with it")),
        "verdict": text("`trusted`, or the code of the error that an installation ends with"),
        "reason": text("the same as a sentence; empty when it is trusted"),
    },
)
KEY: Final = {
    "id": text("the key's id, as minisign prints it"),
    "name": text("the name it is known by"),
    "valid_until": or_null(text("its last day, or an instant; null: no end")),
    "packages": names("packages that it may sign, as patterns; none: all"),
    "revoked_at": or_null(text("the day on which it was revoked")),
    "revoked_reason": or_null(text("why")),
    "state": one_of("what it is now", "trusted", "expired", "revoked"),
}
