"""Tasks of changes that are done outside of the core: one method each, and its undo.

What came of a task goes back to the engine. Each can be done again, from its start: that is what
happens after a kill.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.condition import load_spec
from opmas.core.change import engine
from opmas.core.change.change import Change, ChangeState, Kind, TaskName, TaskState
from opmas.core.change.window import Size, size, window
from opmas.core.job import Job, JobKind, Outcome
from opmas.core.package.manifest import Runtime
from opmas.errors import InvalidError, OpmasError, RequestError
from opmas.manager.changes.deliveries import newest_bundle
from opmas.manager.changes.holds import let_go
from opmas.manager.changes.jobs import copies
from opmas.manager.changes.uses import uses
from opmas.packages.versions import order, release

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.documents.settings import Settings
    from opmas.core.events import RunTask
    from opmas.manager.changes.admission import Admission
    from opmas.manager.changes.hooks import Hooks
    from opmas.manager.changes.jobs import Jobs
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.state.writer import Writer
    from opmas.packages.catalogue import Package

    Work = Callable[[Change, RunTask], Awaitable[Outcome]]

logger = logging.getLogger(__name__)

DONE: Final = Outcome(ok=True)
FIRST_JOB: Final = 1000  # numbers of a change's jobs: of each task, its undo, for each agent


class Tasks:
    """Does the tasks that the engine asks for."""

    def __init__(
        self,
        *,
        settings: Settings,
        writer: Writer,
        shelf: Shelf,
        jobs: Jobs,
        hooks: Hooks,
        admission: Admission,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._shelf = shelf
        self._jobs = jobs
        self._hooks = hooks
        self._admission = admission
        self._running: set[asyncio.Task[None]] = set()
        self._does: dict[TaskName, Work] = {
            TaskName.CHECK: self._check,
            TaskName.REHEARSE: self._rehearse,
            TaskName.INSTALL: self._install,
            TaskName.UNINSTALL: self._uninstall,
            TaskName.DEB: self._deb,
            TaskName.SNAPSHOT: self._snapshot,
            TaskName.MIGRATE: self._migrate,
        }
        self._undoes: dict[TaskName, Work] = {
            TaskName.INSTALL: self._take_out,
            TaskName.DEB: self._deb_back,
            TaskName.SNAPSHOT: self._restore,
            TaskName.MIGRATE: self._stop_hooks,
        }

    def run(self, effect: RunTask) -> None:
        """Begin a task; its end is posted to the writer."""
        self._spawn(self._run(effect))

    def tidy(self, change: int) -> None:
        """Remove what the change needed while it went on."""
        found = self._writer.roster.changes.get(change)
        tasks = () if found is None else found.tasks
        unbegun = {TaskState.TODO, TaskState.SKIPPED}
        copied = any(t.name is TaskName.SNAPSHOT and t.state not in unbegun for t in tasks)
        if any(task.params.get("holds") for task in tasks):
            self._writer.post_step(lambda roster, _now: (let_go(roster, change), ()))
        self._spawn(self._discard(change, snapshot=copied))

    def sweep(self) -> None:
        """Tidy up after changes that ended just before an earlier manager was killed."""
        changes = self._writer.roster.changes
        going = {id_ for id_, change in changes.items() if not change.is_final}
        for id_ in self._jobs.changes() - going:
            self._jobs.forget(id_)
        copied = copies(Path(self._settings.manager.state_dir))
        for id_, change in changes.items():
            if id_ in copied and change.is_final and change.state is not ChangeState.REVERT_FAILED:
                self._spawn(self._discard(id_, snapshot=True))

    async def close(self) -> None:
        """Let go of what is under way: the jobs go on, and are joined by the next manager."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, effect: RunTask) -> None:
        change = self._writer.roster.changes[effect.change]
        name = change.tasks[effect.task].name
        work = (self._undoes if effect.undo else self._does)[name]
        try:
            outcome = await work(change, effect)
        except OpmasError as error:
            outcome = refused(error)
        except Exception as error:
            logger.exception("change %d: task %s broke", change.id, name)
            fault = OpmasError(f"a fault of the manager: {error}")
            outcome = refused(fault)
        told = {
            "ok": outcome.ok,
            "code": outcome.code,
            "message": outcome.message,
            "problems": outcome.problems,
            "result": outcome.result,
            "undo": effect.undo,
        }
        self._writer.post_step(
            lambda roster, now: engine.task_ended(roster, effect.change, effect.task, told, now)
        )

    async def _discard(self, change: int, *, snapshot: bool) -> None:
        if snapshot:
            job = Job(f"{change}-{FIRST_JOB - 1}", JobKind.DISCARD, {"snapshot": str(change)})
            outcome = await self._jobs.run(job)
            if not outcome.ok:
                logger.warning("change %d: its copy of data is left: %s", change, outcome.message)
        self._jobs.forget(change)

    async def _job(
        self, effect: RunTask, kind: JobKind, params: dict[str, Any], which: int = 0
    ) -> Outcome:
        number = (which * 24 + effect.task) * 2 + effect.undo
        return await self._jobs.run(Job(f"{effect.change}-{number + FIRST_JOB}", kind, params))

    async def _each(
        self, change: Change, effect: RunTask, kind: JobKind, **params: Any
    ) -> Outcome:
        """Run a job for each agent of the change; the first that fails ends it."""
        for which, name in enumerate(change.agents):
            if name not in self._writer.roster.agents:
                continue
            outcome = await self._job(effect, kind, {"agent": name, **params}, which)
            if not outcome.ok:
                return outcome
        return Outcome(ok=True, result={"agents": list(change.agents)})

    async def preview(self, change: Change) -> Change:
        """Return the change as it would begin now, or raise what its check would refuse."""
        change = engine.previewed(self._writer.roster, change, {})
        if not any(task.name is TaskName.CHECK for task in change.tasks):
            return change
        outcome = await self._checked(change)
        return engine.previewed(self._writer.roster, change, outcome.result)

    async def _check(self, change: Change, _effect: RunTask) -> Outcome:
        return await self._checked(change)

    async def _checked(self, change: Change) -> Outcome:
        if change.kind is Kind.REMOVE:
            return self._check_unused(change)
        check = next(task for task in change.tasks if task.name is TaskName.CHECK)
        seconds, migrates = [0.0], False
        for name in change.agents:
            agent = self._writer.roster.agents.get(name)
            if agent is None:
                continue
            spec = load_spec(change.after) if change.after is not None else agent.spec
            package = await self._admission.check(spec, self._writer.roster)
            before = self._before(change, agent.spec)
            migrates = migrates or self._migration(change, spec) is not None
            wanted = check.params.get("window")
            seconds.append(self._window(before, package, wanted, migrates=migrates))
        needless = [] if migrates else ["snapshot", "migrate"]
        return Outcome(ok=True, result={"window": max(seconds), "needless": needless})

    def _window(
        self, before: Package | None, after: Package, wanted: float | None, *, migrates: bool
    ) -> float:
        try:
            how_much = Size.MAJOR
            if before is not None and before.name == after.name:
                how_much = size(release(before.version), release(after.version))
        except InvalidError:  # a version that is none: of a directory of somebody's own
            how_much = Size.MAJOR
        factor = self._settings.changes.watch
        return window(how_much, migrates=migrates, factor=factor, wanted=wanted)

    def _check_unused(self, change: Change) -> Outcome:
        going = {t.params["version"] for t in change.tasks if t.name is TaskName.UNINSTALL}
        everything = any(t.name is TaskName.DEB for t in change.tasks) or not going
        roster, name = self._writer.roster, change.package
        used = uses(name, roster, self._shelf.packages, without=change.id)
        for version, who in used.items():
            if version in going or everything:
                raise RequestError(
                    f'cannot remove package "{name}" {version}: {who}',
                    (f"{version}: {who}: `opmas agent list`, `opmas change list --active`",),
                )
        return DONE

    def _before(self, change: Change, current: AgentSpec) -> Package | None:
        spec = current if change.before is None else load_spec(change.before)
        return self._shelf.packages.of(spec)

    def _migration(self, change: Change, after: AgentSpec) -> Package | None:
        """Return the version whose migration is to be run: the newer one of the two."""
        packages = self._shelf.packages
        newer = after
        if change.before is not None:
            before = load_spec(change.before)
            was, will = packages.version_of(before), packages.version_of(after)
            if before.package != after.package or was == will:
                return None
            newer = max((before, after), key=lambda spec: order(packages.version_of(spec)))
        package = packages.of(newer)
        return package if package is not None and package.manifest.hooks.migrate else None

    async def _rehearse(self, change: Change, effect: RunTask) -> Outcome:
        for which, name in enumerate(change.was_up):
            agent = self._writer.roster.agents.get(name)
            package = None if agent is None else self._shelf.packages.of(agent.spec)
            if agent is None or package is None:
                continue
            manifest = package.manifest
            python = manifest.runtime is Runtime.PYTHON
            params = {
                "agent": name,
                "directory": package.directory,
                "python": self._settings.agents.python,
                "runtime": str(manifest.runtime),
                "command": list(manifest.command),
                "entry": manifest.entry if python else "",
                "unit": f"opmas-agent@{name}.service",
            }
            outcome = await self._job(effect, JobKind.REHEARSE, params, which)
            if not outcome.ok:
                return outcome
        return DONE

    async def _install(self, change: Change, effect: RunTask) -> Outcome:
        params: dict[str, Any] | None = change.tasks[effect.task].params
        if not params or not params.get("path"):
            params = self._delivered(change)
        if params is None:
            return self._unpacked_by_dpkg(change.package)
        given = {k: params.get(k) or None for k in ("path", "name", "version", "delivered_by")}
        outcome = await self._job(effect, JobKind.INSTALL, given)
        await self._shelf.rescan()
        return outcome

    def _unpacked_by_dpkg(self, name: str) -> Outcome:
        """Return whether a Debian package without a bundle brought a package that can be used."""
        if self._shelf.packages.own(name) is not None:
            return Outcome(ok=True, message="the Debian package carries no bundle")
        refused = [r for r in self._shelf.refused if Path(r.path).parent.name == name]
        problems = tuple(p for r in refused for p in r.problems)
        why = f"{refused[0].path}: {problems[0]}" if refused else "it brings no agent.yaml"
        raise InvalidError(f"cannot use opmas-agent-{name}, which was installed: {why}", problems)

    def _delivered(self, change: Change) -> dict[str, Any] | None:
        found = newest_bundle(self._settings.packages.delivered_dir, change.package)
        if found is None:
            return None
        deb = f"deb:opmas-agent-{change.package}"
        return {"path": str(found), "name": change.package, "version": None, "delivered_by": deb}

    async def _take_out(self, change: Change, effect: RunTask) -> Outcome:
        result = change.tasks[effect.task].params["result"]
        params = {"name": result["name"], "version": result["version"]}
        outcome = await self._job(effect, JobKind.UNINSTALL, params)
        await self._shelf.rescan()
        return outcome

    async def _uninstall(self, change: Change, effect: RunTask) -> Outcome:
        outcome = await self._job(effect, JobKind.UNINSTALL, change.tasks[effect.task].params)
        await self._shelf.rescan()
        return outcome

    async def _deb(self, change: Change, effect: RunTask) -> Outcome:
        params = dict(change.tasks[effect.task].params)
        params.pop("result", None)
        job = JobKind(params.pop("job"))
        outcome = await self._job(effect, job, params)
        self._note_hold(change.package, outcome)
        await self._shelf.rescan()
        brings = job is not JobKind.APT_REMOVE and change.kind is not Kind.INSTALL
        if outcome.ok and brings:
            try:
                self._unpacked_by_dpkg(change.package)
            except InvalidError as error:
                return replace(refused(error), result=outcome.result)
        return outcome

    async def _deb_back(self, change: Change, effect: RunTask) -> Outcome:
        params = change.tasks[effect.task].params
        result = params.get("result", {})
        before = result.get("before") or result.get("previous") or params.get("before")
        if not before and change.kind is not Kind.INSTALL:
            return DONE  # the job ended before it changed anything
        if not before:  # it was not there: take it away again
            job, given = JobKind.APT_REMOVE, {"deb": params["deb"], "purge": False}
        else:
            job, given = JobKind.APT_ROLLBACK, {"deb": params["deb"], "version": before}
        outcome = await self._job(effect, job, given)
        self._note_hold(change.package, outcome)
        await self._shelf.rescan()
        return outcome

    def _note_hold(self, package: str, outcome: Outcome) -> None:
        """Hold the package as dpkg does after a rollback: the next upgrade would undo it."""
        if outcome.ok and outcome.result.get("held"):
            self._writer.post_step(
                lambda roster, _now: (replace(roster, holds=roster.holds | {package}), ())
            )

    async def _snapshot(self, change: Change, effect: RunTask) -> Outcome:
        return await self._each(change, effect, JobKind.SNAPSHOT, snapshot=str(change.id))

    async def _restore(self, change: Change, effect: RunTask) -> Outcome:
        return await self._each(change, effect, JobKind.RESTORE, snapshot=str(change.id))

    async def _migrate(self, change: Change, _effect: RunTask) -> Outcome:
        results = [t.params.get("result") for t in change.tasks if t.name is TaskName.DEB]
        deb: dict[str, Any] = next((r for r in results if r), {})
        for name in change.agents:
            agent = self._writer.roster.agents.get(name)
            if agent is None:
                continue
            after = agent.spec if change.after is None else load_spec(change.after)
            package = self._migration(change, after)
            if package is None:
                continue
            before, now = self._before(change, agent.spec), self._shelf.packages.of(after)
            await self._hooks.migrate(
                agent.spec,
                package,
                from_version=deb.get("before") or ("" if before is None else before.version),
                to_version=deb.get("after") or ("" if now is None else now.version),
            )
        return DONE

    async def _stop_hooks(self, change: Change, _effect: RunTask) -> Outcome:
        for name in change.agents:
            await self._hooks.stop(name)
        return DONE


def refused(error: OpmasError) -> Outcome:
    """Return the error as the outcome of a task."""
    return Outcome(ok=False, code=error.code, message=error.message, problems=error.problems)
