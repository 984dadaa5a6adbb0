"""The methods of the control socket about changes, and about the versions of agents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.change import engine, plan
from opmas.core.change.change import Change, ChangeState, Kind, TaskName, load_change
from opmas.core.change.queue import check_room
from opmas.core.package.manifest import Runtime
from opmas.errors import RequestError, TransitionError, UnknownVersionError
from opmas.manager.changes.attempts import removing
from opmas.manager.changes.deliveries import is_behind
from opmas.manager.changes.holds import held, held_for
from opmas.manager.control.changerequests import (
    Versioned,
    Wanted,
    read_list,
    read_look,
    read_undo,
    read_versioned,
)
from opmas.packages.collection import named
from opmas.packages.versions import newest, order
from opmas.store.rows import ChangeQuery

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.documents.settings import Settings
    from opmas.core.roster import Roster
    from opmas.manager.changes.admission import Admission
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.changes.tasks import Tasks
    from opmas.manager.control.changeviews import ChangeViews
    from opmas.manager.control.methods import Method, Params
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer


class Proposals:
    """Hands changes to the writer; `check` is called again when one is taken."""

    def __init__(self, writer: Writer, views: ChangeViews, tasks: Tasks, delivered: Path) -> None:
        self._delivered = delivered
        self._writer = writer
        self._views = views
        self._tasks = tasks

    async def propose(
        self, change: Change, wanted: Wanted, *, hold: bool = False
    ) -> dict[str, Any]:
        """Return the change's view: planned only when that is what is asked for.

        With `hold` its package is held from then on.
        """
        if wanted.dry_run:
            self.check_revision(change, wanted.expect)
            planned = held_for(self._writer.roster, change)[1] if hold else change
            return self._views.view(await self._tasks.preview(planned))
        number = await self.take(change, wanted, hold=hold)
        await self._writer.wait_until(
            lambda: (
                self._writer.roster.changes[number].is_final
                if number in self._writer.roster.changes
                else True
            ),
            wanted.wait,
        )
        return self._views.one(number)

    def view(self, number: int) -> dict[str, Any]:
        """Return the view of a change as it is now."""
        return self._views.one(number)

    def sketch(self, change: Change) -> dict[str, Any]:
        """Return the view of a change that cannot be checked yet: what it needs is not here."""
        return self._views.view(engine.previewed(self._writer.roster, change, {}))

    async def take(self, change: Change, wanted: Wanted, *, hold: bool = False) -> int:
        """Have the change planned, and return its number; the agent must be as expected."""
        numbers: list[int] = []

        def step(roster: Roster, _now: float) -> Any:
            self.check_revision(change, wanted.expect)
            check_room(roster, change.subject)
            exact = wanted.expect is not None and change.is_of_agent
            asked = engine.expecting(roster, change) if exact else change
            if hold:
                roster, asked = held_for(roster, asked)
            roster = removing(roster, asked, self._delivered)
            roster, effects = engine.propose(roster, asked)
            numbers.append(roster.last_change)
            return roster, effects

        await self._writer.ask(step, wanted.author)
        return numbers[-1]

    def check_revision(self, change: Change, expect: int | None) -> None:
        """Refuse a change of an agent that somebody else changed meanwhile."""
        if expect is not None and change.is_of_agent:
            self._writer.saver.check_revision(change.agents[0], expect)


class ChangeMethods:
    """The methods `change.*`, `agent.update` and `agent.rollback`."""

    def __init__(  # noqa: PLR0913 -- what changes touch
        self,
        *,
        writer: Writer,
        shelf: Shelf,
        views: ChangeViews,
        proposals: Proposals,
        admission: Admission,
        databases: Databases,
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._shelf = shelf
        self._views = views
        self._proposals = proposals
        self._admission = admission
        self._databases = databases
        self.table: dict[str, Method] = {
            "change.list": self._list,
            "change.show": self._show,
            "change.undo": self._undo,
            "agent.update": self._update,
            "agent.rollback": self._rollback,
        }

    async def _list(self, params: Params) -> dict[str, Any]:
        return {"changes": self._views.many(read_list(params))}

    async def _show(self, params: Params) -> dict[str, Any]:
        look = read_look(params)
        if look.seen is not None and look.wait:
            seen = look.seen
            await self._writer.wait_until(lambda: self._is_news(look.id, seen), look.wait)
        return self._views.one(look.id)

    def _is_news(self, id_: int, seen: int) -> bool:
        change = self._writer.roster.changes.get(id_)
        return change is None or change.is_final or self._views.serial(id_) != seen

    async def _undo(self, params: Params) -> dict[str, Any]:
        id_, wanted = read_undo(params)
        view = self._views.one(id_)  # refuses an unknown one
        under_way = self._writer.roster.changes.get(id_)
        if under_way is None or under_way.is_final:
            back = await self._back(id_, wanted)
            return {"change": await self._proposals.propose(back, wanted, hold=self._holds(back))}
        if wanted.dry_run:
            return {"change": view}

        def step(roster: Roster, now: float) -> Any:
            roster, effects = engine.undo(roster, id_, wanted.author, now)
            hold = self._stays_behind(under_way)
            return (held(roster, under_way.package) if hold else roster), effects

        await self._writer.ask(step, wanted.author)
        await self._writer.wait_until(
            lambda: (c := self._writer.roster.changes.get(id_)) is None or c.is_final, wanted.wait
        )
        return {"change": self._views.one(id_)}

    def _stays_behind(self, undone: Change) -> bool:
        """Return whether the agent of a change that is undone would be updated by itself then."""
        agent = self._writer.roster.agents.get(undone.agents[0]) if undone.is_of_agent else None
        if agent is None or not {"package", "version"} & undone.wish.keys():
            return False
        return self.is_behind(load_spec(undone.before) if undone.before else agent.spec)

    def _holds(self, change: Change) -> bool:
        """Return whether somebody puts an agent behind what was delivered by the change."""
        agent = self._writer.roster.agents.get(change.agents[0]) if change.is_of_agent else None
        if agent is None or not {"package", "version"} & change.wish.keys():
            return False
        return self.is_behind(load_spec({**dump_spec(agent.spec), **change.wish}))

    async def _back(self, id_: int, wanted: Wanted) -> Change:
        """Return the change that takes back one that ended, if nothing came after it."""
        change = self._ended(id_)
        if change.state is not ChangeState.COMMITTED:
            raise TransitionError(f"cannot undo change {id_}: it is {change.state}")
        installed = next((t for t in change.tasks if t.name is TaskName.INSTALL), None)
        if change.kind is Kind.INSTALL and installed is not None and len(change.tasks) == 1:
            version = installed.params["result"]["version"]
            removal = plan.remove_package(change.package, [version], None, author=wanted.author)
            return replace(removal, undo_of=id_)
        if not change.is_of_agent or change.kind is Kind.REMOVE:
            raise RequestError(
                f"cannot undo change {id_}, {change.kind} of {change.subject}: use"
                f" `opmas package rollback` or `opmas package remove`"
            )
        (name,) = change.agents
        agent = self._writer.roster.get(name)
        if change.before is None:
            removal = plan.remove(agent.spec, purge=False, author=wanted.author)
            return replace(removal, undo_of=id_)
        after = load_spec(change.after or {})
        moved = [
            key
            for key in change.wish
            if key != "desired" and getattr(agent.spec, key) != getattr(after, key)
        ]
        if moved:
            raise RequestError(
                f"cannot undo change {id_}: {', '.join(moved)} of agent"
                f' "{name}" was changed again since: see `opmas change list --agent {name}`'
            )
        wish = {key: change.before[key] for key in change.wish if key != "desired"}
        spec = load_spec({**dump_spec(agent.spec), **wish})
        package = await self._admission.check(spec, self._writer.roster)
        back = plan.put(
            agent.spec,
            spec,
            author=wanted.author,
            lives=package.manifest.runtime is Runtime.PYTHON,
            factor=self._settings.changes.watch,
            back=self._shelf.packages.is_back(agent.spec, spec),
        )
        if back is None:
            raise RequestError(f"cannot undo change {id_}: the agent is as it was before")
        return replace(back, undo_of=id_)

    def _ended(self, id_: int) -> Change:
        known = self._writer.roster.changes.get(id_)
        if known is not None:
            return known
        database = self._databases.current
        row = None if database is None else database.change(id_)
        if row is None:
            raise RequestError(f"cannot undo change {id_}: there is no database to read it from")
        return load_change(row.document)

    async def _update(self, params: Params) -> dict[str, Any]:
        request = read_versioned(params, window=True, expect=True)
        spec = self._writer.roster.get(request.name).spec
        version = self._wanted(spec, request.version)
        return {"change": await self.move(spec, version, request.wanted)}

    async def _rollback(self, params: Params) -> dict[str, Any]:
        request = read_versioned(params, window=True, expect=True)
        return {"change": await self.roll_back(request)}

    async def roll_back(self, request: Versioned) -> dict[str, Any]:
        """Give the agent an older version, and hold its package there."""
        spec = self._writer.roster.get(request.name).spec
        version = request.version or self._before(spec)
        return await self.move(spec, version, request.wanted)

    async def move(self, spec: AgentSpec, version: str, wanted: Wanted) -> dict[str, Any]:
        """Give the agent that version, which is on the host, and return the change's view."""
        package = self._shelf.get(spec.package, version)
        current = self._shelf.packages.of(spec)
        if current is not None and current.directory == package.directory:
            raise RequestError(
                f'cannot give agent "{spec.name}" version {version} of package "{spec.package}":'
                " it has it already"
            )
        after = replace(spec, version=named(package))
        await self._admission.check(after, self._writer.roster)
        back = self._shelf.packages.is_back(spec, after)
        change = plan.update(
            spec, after.version, author=wanted.author, back=back, wanted=wanted.window
        )
        return await self._proposals.propose(change, wanted, hold=self.is_behind(after))

    def _wanted(self, spec: AgentSpec, version: str) -> str:
        if version:
            return version
        found = newest(p.version for p in self._shelf.packages.versions(spec.package))
        if not found:
            self._shelf.get(spec.package)  # says that there is no such package
        return found

    def is_behind(self, spec: AgentSpec) -> bool:
        """Return whether an agent that is so would be updated by itself."""
        directory = self._settings.packages.delivered_dir
        return is_behind(directory, self._shelf.packages, spec)

    def _before(self, spec: AgentSpec) -> str:
        """Return the version that the agent had before this one, if it is still there."""
        versions = [p.version for p in self._shelf.packages.versions(spec.package)]
        database = self._databases.current
        rows = [] if database is None else database.changes(ChangeQuery(agent=spec.name))
        for row in rows:
            before, after = row.document.get("before") or {}, row.document.get("after") or {}
            had = before.get("version", "")
            if row.state == "committed" and after.get("version") == spec.version != had:
                if before.get("package") == spec.package and had in versions:
                    return str(had)
                break
        current = self._shelf.packages.of(spec)
        older = [v for v in versions if current is None or order(v) < order(current.version)]
        if not older:
            raise UnknownVersionError(
                f'cannot roll back agent "{spec.name}": the host has no older version of package'
                f' "{spec.package}"'
            )
        return newest(older)
