"""The packages of a `FakeHost`: their versions, where more come from, and the methods on them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import (
    InUseError,
    InvalidError,
    UnknownPackageError,
    UnknownVersionError,
    VersionMismatchError,
)
from tests.fakes.changes import Move

if TYPE_CHECKING:
    from tests.fakes.changes import Change, Ledger

LIMITS: Final = {
    "memory_max": 64 * 1024**2,
    "memory_high": 48 * 1024**2,
    "tasks_max": 16,
    "cpu_quota": 20,
    "cpu_weight": 50,
    "io_weight": 50,
}
FILE: Final = re.compile(r"(?P<name>[a-z0-9-]+?)[-_](?P<version>[0-9][^_-]*)(_[a-z0-9]+)?")
NOTHING: Final = Move(lambda: None, lambda: None)


def package(name: str, *needs: str, version: str = "1.0.0") -> dict[str, Any]:
    """Return a PackageView without its agents."""
    return {
        "name": name,
        "version": version,
        "summary": f"the {name} package",
        "runtime": "python",
        "source": "deb",
        "deb": f"opmas-agent-{name}",
        "path": f"/usr/lib/opmas/agents/{name}",
        "needs": [{"name": n, "explanation": f"it may use {n}"} for n in needs],
        "limits": dict(LIMITS),
        "state": "ready",
        "held": False,
        "requires": [],
        "wants": [],
        "conflicts": [],
        "versions": [installed(version, source="deb", trust="dpkg")],
    }


def installed(version: str, source: str = "bundle", trust: str = "key") -> dict[str, Any]:
    """Return one version of a package, without its agents."""
    return {
        "version": version,
        "source": source,
        "trust": trust,
        "key": "0123456789ABCDEF" if trust == "key" else "",
        "delivered_by": "",
        "installed_at": "2026-01-31T15:00:00.000000Z",
        "bytes": 20480,
        "bad_until": None,
    }


class PackageMethods:
    """The methods `package.*` of a host; `offers` has the versions that a name can get."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.agents: dict[str, dict[str, Any]] = {}
        self.packages = {
            p["name"]: p
            for p in (package("demo"), package("hostwatch", "network=observe", "proc=host"))
        }
        self.offers: dict[str, list[str]] = {"demo": ["1.1.0"], "probe": ["0.5.0"]}
        self.uploads: dict[str, tuple[str, str]] = {}

    def package_list(self) -> dict[str, Any]:
        """Answer `package.list`."""
        return {"packages": [self._package_view(name) for name in sorted(self.packages)]}

    def package_show(self, name: str) -> dict[str, Any]:
        """Answer `package.show`."""
        manifest = {"api": "opmas.agent/v1", "name": name, "version": "1.0.0"}
        return {**self._package_view(self._package(name)["name"]), "manifest": manifest}

    def package_scan(self) -> dict[str, Any]:
        """Answer `package.scan`: nothing ever changes here."""
        return {"added": [], "changed": [], "removed": [], "refused": []}

    def package_install(  # noqa: PLR0913, PLR0917 - the wire's own names
        self,
        name: str | None = None,
        version: str | None = None,
        file: str | None = None,
        upload: str | None = None,
        dry_run: bool = False,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `package.install`."""
        if [name if upload is None else None, file, upload].count(None) != 2:
            raise InvalidError("cannot install: name one of name, file and upload")
        if file is not None:
            name, version = _named(file)
        elif upload is not None:
            name, version = self._uploaded(upload, name, version)
        wanted = version or self._newest(str(name))
        if file is None and upload is None and wanted not in self._known(str(name)):
            raise UnknownVersionError(f'cannot find version {wanted} of package "{name}"')
        return {"change": self._install(str(name), wanted, author, dry_run=dry_run)}

    def package_update(
        self,
        name: str,
        version: str | None = None,
        dry_run: bool = False,
        window: int | None = None,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `package.update`: of the agents that run another version."""
        wanted = version or self._newest(self._package(name)["name"])
        return {"changes": self._move_all(name, wanted, author, window, "update", dry_run=dry_run)}

    def package_rollback(
        self,
        name: str,
        version: str | None = None,
        dry_run: bool = False,
        window: int | None = None,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `package.rollback`: to the version before the newest."""
        found = self._package(name)
        wanted = version or self._before(name, found["version"])
        changes = self._move_all(name, wanted, author, window, "rollback", dry_run=dry_run)
        return {"changes": changes}

    def package_remove(
        self,
        name: str,
        version: str | None = None,
        dry_run: bool = False,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `package.remove`."""
        found = self._package(name)
        users = self._users(name, version)
        if users:
            raise InUseError(f'cannot remove package "{name}": agent "{users[0]}" needs it')
        gone = [v for v in found["versions"] if version in {None, v["version"]}]
        if not gone:
            raise UnknownVersionError(f'cannot find version {version} of package "{name}"')

        def apply() -> None:
            found["versions"] = [v for v in found["versions"] if v not in gone]
            if found["versions"]:
                found["version"] = found["versions"][-1]["version"]
            else:
                self.packages.pop(name)

        def undo() -> None:
            found["versions"] += gone
            self.packages[name] = found

        before = {"version": gone[-1]["version"]}
        change = self.ledger.plan(
            "remove", f"package/{name}", package=name, before=before, author=author
        )
        return {"change": self._begin(change, Move(apply, undo), dry_run=dry_run)}

    def package_hold(self, name: str, hold: bool, author: str = "") -> dict[str, Any]:
        """Answer `package.hold`."""
        self._package(name)["held"] = hold
        return {"package": self._package_view(name)}

    def _uploaded(self, upload: str, name: str | None, version: str | None) -> tuple[str, str]:
        found = self.uploads.get(upload, (name or "uploaded", version or "1.0.0"))
        if name not in {None, found[0]} or version not in {None, found[1]}:
            raise VersionMismatchError(
                f'cannot install the bundle: it is "{found[0]}" {found[1]}, not "{name}" {version}'
            )
        return found

    def _install(
        self, name: str, version: str, author: str, *, dry_run: bool = False
    ) -> dict[str, Any]:
        before = self.packages.get(name)
        old = before["version"] if before else None
        change = self.ledger.plan(
            "install",
            f"package/{name}",
            package=name,
            before={"version": old} if old else None,
            after={"version": version},
            author=author,
            message=f"install {name} {version}",
        )
        here = bool(before) and any(v["version"] == version for v in (before or {})["versions"])

        def apply() -> None:
            found = self.packages.setdefault(
                name, {**package(name, version=version), "source": "bundle", "versions": []}
            )
            found["versions"].append(installed(version))
            found["version"] = version

        def undo() -> None:
            self.packages[name]["versions"].pop()

        return self._begin(change, NOTHING if here else Move(apply, undo), dry_run=dry_run)

    def _move_all(
        self,
        name: str,
        version: str,
        author: str,
        window: int | None,
        kind: str,
        *,
        dry_run: bool,
    ) -> list[dict[str, Any]]:
        if version not in self._known(name):
            raise UnknownVersionError(f'cannot find version {version} of package "{name}"')
        movers = [a for a in self._users(name) if self.agents[a]["version"] != version]
        return [self._move_agent(a, version, author, window, kind, dry_run) for a in movers]

    def _move_agent(
        self,
        name: str,
        version: str,
        author: str,
        window: int | None,
        kind: str,
        dry_run: bool,
    ) -> Change:
        agent = self.agents[name]
        old = agent["version"]
        change = self.ledger.plan(
            kind,
            f"agent/{name}",
            agents=[name],
            package=agent["package"],
            before={"version": old},
            after={"version": version},
            author=author,
            window=window,
            restarts=[name] if agent["phase"] == "running" else [],
            message=f"{kind} {name} from {old} to {version}",
        )

        def switch(to: str) -> None:
            package = self.packages[agent["package"]]
            if to not in {v["version"] for v in package["versions"]}:
                package["versions"].append(installed(to))
                package["version"] = to
            agent.update(version=to, package_version=to, revision=agent["revision"] + 1)

        return self._begin(
            change, Move(lambda: switch(version), lambda: switch(old)), dry_run=dry_run
        )

    def _begin(self, change: Change, move: Move, *, dry_run: bool = False) -> Change:
        begun = change if dry_run else self.ledger.begin(change, move)
        for name in begun["agents"]:
            if name in self.agents:
                self.agents[name]["change"] = self._under_way(name)
        return begun

    def _under_way(self, name: str) -> int | None:
        return next((c["id"] for c in self.ledger.active() if name in c["agents"]), None)

    def _known(self, name: str) -> list[str]:
        here = [v["version"] for v in self.packages.get(name, {}).get("versions", ())]
        return sorted({*here, *self.offers.get(name, ())})

    def _newest(self, name: str) -> str:
        known = self._known(name)
        if not known:
            raise UnknownPackageError(f'cannot find agent package "{name}"')
        return known[-1]

    def _before(self, name: str, version: str) -> str:
        older = [v for v in self._known(name) if v < version]
        if not older:
            raise UnknownVersionError(f'cannot roll back "{name}": no version before {version}')
        return older[-1]

    def _users(self, name: str, version: str | None = None) -> list[str]:
        agents = sorted(self.agents.values(), key=lambda a: str(a["name"]))
        fitting = [a for a in agents if version in {None, a["version"]}]
        return [a["name"] for a in fitting if a["package"] == name]

    def _package(self, name: str) -> dict[str, Any]:
        if name not in self.packages:
            raise UnknownPackageError(f'cannot find agent package "{name}"')
        return self.packages[name]

    def _package_view(self, name: str) -> dict[str, Any]:
        found = self.packages[name]
        versions = [
            {**version, "agents": self._users(name, version["version"])}
            for version in found["versions"]
        ]
        return {**found, "agents": self._users(name), "versions": versions}


def _named(file: str) -> tuple[str, str]:
    path = PurePosixPath(file)
    found = FILE.fullmatch(path.stem.removeprefix("opmas-agent-"))
    if not path.is_absolute() or path.suffix not in {".opmas", ".deb"} or found is None:
        raise InvalidError(f"cannot install {file}: it is no absolute path of a bundle or .deb")
    return found["name"], found["version"]
