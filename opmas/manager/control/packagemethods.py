"""The methods of the control socket that change packages: install, update, roll back, remove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change import plan
from opmas.core.job import Job, JobKind
from opmas.errors import InUseError, InvalidError, UnknownVersionError, from_code
from opmas.manager.changes.attempts import tried_anew
from opmas.manager.changes.deliveries import bundles, newest_bundle, parse_name
from opmas.manager.changes.holds import held
from opmas.manager.control.caller import need_root
from opmas.manager.control.changerequests import (
    Install,
    Versioned,
    read_hold,
    read_install,
    read_versioned,
)
from opmas.packages.collection import named
from opmas.packages.versions import is_same, newest, normal, order

if TYPE_CHECKING:
    from opmas.core.agent.terms import AgentSpec
    from opmas.core.change.change import Change
    from opmas.core.documents.settings import PackagesSection
    from opmas.manager.changes.jobs import Jobs
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.control.changemethods import ChangeMethods, Proposals
    from opmas.manager.control.methods import Method, Params
    from opmas.manager.control.views import Views
    from opmas.manager.state.writer import Writer
    from opmas.packages.catalogue import Package

PREFIX: Final = "opmas-agent-"


class PackageMethods:
    """The methods `package.install`, `.update`, `.rollback`, `.remove` and `.hold`."""

    def __init__(  # noqa: PLR0913 -- what packages touch
        self,
        *,
        settings: PackagesSection,
        writer: Writer,
        shelf: Shelf,
        views: Views,
        proposals: Proposals,
        changes: ChangeMethods,
        jobs: Jobs,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._shelf = shelf
        self._views = views
        self._proposals = proposals
        self._changes = changes
        self._jobs = jobs
        self._asked = 0
        self.table: dict[str, Method] = {
            "package.install": self._install,
            "package.update": self._update,
            "package.rollback": self._rollback,
            "package.remove": self._remove,
            "package.hold": self._hold,
        }

    async def _install(self, params: Params) -> dict[str, Any]:
        request = read_install(params)
        change = self._installation(request)
        return {"change": await self._proposals.propose(change, request.wanted)}

    def _installation(self, request: Install) -> Change:
        author = request.wanted.author
        if request.upload:
            path = Path(self._settings.upload_dir) / f"{request.upload}.opmas"
            return self._of_bundle(path, request.name, request.version, author)
        if request.file.endswith(".deb"):
            return self._of_deb_file(request, author)
        if request.file:
            name, version = parse_name(Path(request.file))
            if not name:
                raise InvalidError(
                    f"cannot install {request.file}: a bundle's file is NAME-VERSION.opmas, a"
                    " Debian package's opmas-agent-NAME_VERSION_all.deb",
                )
            return self._of_bundle(
                Path(request.file), request.name or name, request.version or version, author
            )
        found = self._in_directories(request.name, request.version)
        if found is not None:
            return self._of_bundle(found, request.name, parse_name(found)[1], author)
        params = self._apt(request.name, version=request.version or None)
        return plan.install_deb(request.name, params, author=author)

    def _of_bundle(self, path: Path, name: str, version: str, author: str) -> Change:
        params = {"path": str(path), "name": name, "version": version, "delivered_by": ""}
        return plan.install(name, version, params, author=author)

    def _of_deb_file(self, request: Install, author: str) -> Change:
        name = Path(request.file).name.partition("_")[0]
        if not name.startswith(PREFIX) or "_" not in Path(request.file).name:
            raise InvalidError(
                f"cannot install {request.file}: the Debian package of an agent is"
                f" {PREFIX}NAME_VERSION_ARCHITECTURE.deb"
            )
        # the API is a member of the group opmas, and could have written the file itself
        need_root(
            f"install {request.file}", "nobody vouches for a file, and its scripts are root's"
        )
        package = name.removeprefix(PREFIX)
        params = self._apt(package, path=request.file, allow_downgrade=True)
        return plan.install_deb(package, params, author=author)

    @staticmethod
    def _apt(name: str, **more: Any) -> dict[str, Any]:
        given = {"version": None, "path": None, "allow_downgrade": False, **more}
        return {"job": str(JobKind.APT_INSTALL), "deb": f"{PREFIX}{name}", **given}

    def _in_directories(self, name: str, version: str) -> Path | None:
        found = {
            v: path
            for directory in self._settings.bundle_dirs
            for path, v in bundles(directory, name)
            if not version or is_same(v, version)
        }
        return found.get(newest(found))

    async def _update(self, params: Params) -> dict[str, Any]:
        request = read_versioned(params, window=True)
        package = self._shelf.get(request.name)
        if package.source == "deb":
            return {"changes": [await self._update_deb(package, request, back=False)]}
        return {"changes": await self._update_agents(package, request)}

    async def _update_deb(
        self, package: Package, request: Versioned, *, back: bool
    ) -> dict[str, Any]:
        """Give the host another version of what apt installed, and so all of its agents."""
        job = JobKind.APT_ROLLBACK if back else JobKind.APT_INSTALL
        params: dict[str, Any] = {
            "job": str(job), "deb": package.deb, "version": request.version or None,
        }  # fmt: skip
        if not back:
            params |= {"path": None, "allow_downgrade": bool(request.version)}
        change = plan.update_deb(
            package.name,
            self._agents(package.name),
            params,
            author=request.wanted.author,
            back=back,
            wanted=request.wanted.window,
        )
        return await self._proposals.propose(change, request.wanted)

    async def _update_agents(self, package: Package, request: Versioned) -> list[dict[str, Any]]:
        """Install the version when it is not there yet, and give it to each agent."""
        name, wanted = package.name, request.wanted
        installed = [p.version for p in self._shelf.packages.versions(name)]
        offered = self._offered(name, request.version)
        version = request.version or newest([*installed, *offered])
        found = self._shelf.packages.find(name, version)
        views = []
        follows: tuple[int, ...] = ()
        if found is None:
            if version not in offered:
                known = {*installed, *self._offered(name, "")}
                there = ", ".join(sorted(known, key=order)) or "none"
                raise UnknownVersionError(
                    f'cannot find version {version} of package "{name}": there is {there}'
                )
            install = self._of_bundle(offered[version], name, version, wanted.author)
            view = await self._proposals.propose(install, replace(wanted, wait=0.0))
            views.append(view)
            follows = (view["id"],) if view["id"] else ()
        for agent in self._agents(name):
            spec = self._writer.roster.get(agent).spec
            after = replace(spec, version=_spelled(version) if found is None else named(found))
            if self._runs(spec, version):
                continue
            back = self._shelf.packages.is_back(spec, after)
            change = plan.update(
                spec, after.version, author=wanted.author, back=back, wanted=wanted.window
            )
            change = replace(change, follows=follows)
            if wanted.dry_run and found is None:
                views.append(self._proposals.sketch(change))
                continue
            hold = self._changes.is_behind(after)
            later = replace(wanted, wait=0.0)
            views.append(await self._proposals.propose(change, later, hold=hold))
        return await self._ended(views, wanted.wait)

    async def _ended(self, views: list[dict[str, Any]], wait: float) -> list[dict[str, Any]]:
        numbers = [view["id"] for view in views if view["id"]]
        if not numbers or not wait:
            return views

        def over() -> bool:
            found = (self._writer.roster.changes.get(number) for number in numbers)
            return all(change is None or change.is_final for change in found)

        await self._writer.wait_until(over, wait)
        return [self._proposals.view(number) for number in numbers]

    def _offered(self, name: str, version: str) -> dict[str, Path]:
        places = (*self._settings.bundle_dirs, self._settings.delivered_dir)
        return {
            version or v: path
            for place in places
            for path, v in bundles(place, name)
            if not version or is_same(v, version)
        }

    async def _rollback(self, params: Params) -> dict[str, Any]:
        request = read_versioned(params, window=True)
        package = self._shelf.get(request.name)
        if package.source == "deb":
            return {"changes": [await self._update_deb(package, request, back=True)]}
        views = []
        for agent in self._agents(request.name):
            spec = self._writer.roster.get(agent).spec
            if request.version and self._runs(spec, request.version):
                continue
            of_agent = replace(request, name=agent, wanted=replace(request.wanted, wait=0.0))
            views.append(await self._changes.roll_back(of_agent))
        return {"changes": await self._ended(views, request.wanted.wait)}

    async def _remove(self, params: Params) -> dict[str, Any]:
        request = read_versioned(params)
        name = request.name
        named_one = self._shelf.get(name, request.version)
        own = self._shelf.packages.own(name)
        versions = [
            p.version
            for p in self._shelf.packages.versions(name)
            if p.receipt and (not request.version or p is named_one)
        ]
        self._check_unused(name, versions, everything=not request.version)
        deb = self._deb_to_remove(name, own, everything=not request.version)
        if own is not None and own.source == "directory" and not versions:
            raise InvalidError(
                f'cannot remove package "{name}": it is a directory of yours: {own.directory}'
            )
        change = plan.remove_package(name, versions, deb, author=request.wanted.author)
        return {"change": await self._proposals.propose(change, request.wanted)}

    def _deb_to_remove(
        self, name: str, own: Package | None, *, everything: bool
    ) -> dict[str, Any] | None:
        delivered = newest_bundle(self._settings.delivered_dir, name)
        if not everything or (delivered is None and (own is None or own.deb is None)):
            return None
        return {"job": str(JobKind.APT_REMOVE), "deb": f"{PREFIX}{name}", "purge": False}

    def _check_unused(self, name: str, versions: list[str], *, everything: bool) -> None:
        for agent in self._agents(name):
            spec = self._writer.roster.get(agent).spec
            found = self._shelf.packages.of(spec)
            if everything or found is None or found.version in versions:
                raise InUseError(
                    f'cannot remove package "{name}": agent "{agent}" runs it',
                    (f"{agent}: remove it first: opmas agent remove {agent}",),
                )

    async def _hold(self, params: Params) -> dict[str, Any]:
        name, hold, author = read_hold(params)
        package = self._shelf.get(name)
        if package.deb is not None:
            self._asked += 1
            params = {"deb": package.deb, "hold": hold}
            outcome = await self._jobs.run(Job(f"0-{self._asked}", JobKind.APT_HOLD, params))
            self._jobs.forget(0)
            if not outcome.ok:
                raise from_code(outcome.code, outcome.message, outcome.problems)

        def step(roster: Any, _now: float) -> Any:
            if hold:
                return held(roster, name), ()
            return tried_anew(replace(roster, holds=roster.holds - {name}), name), ()

        await self._writer.ask(step, author)
        return {"package": self._views.package(package)}

    def _runs(self, spec: AgentSpec, version: str) -> bool:
        found = self._shelf.packages.of(spec)
        return found is not None and found is self._shelf.packages.find(spec.package, version)

    def _agents(self, package: str) -> list[str]:
        agents = self._writer.roster.agents.values()
        return sorted(a.name for a in agents if a.spec.package == package)


def _spelled(version: str) -> str:
    """Return the version as its directory will be named."""
    try:
        return normal(version)
    except InvalidError:  # refused when it is installed
        return version
