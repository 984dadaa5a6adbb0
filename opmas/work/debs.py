"""Debian packages of agents come, change and go: the jobs apt-*.

Each job changes one package of an agent, and what that one depends on. Before anything is
changed the .deb and the configuration files of now are put aside; a job that was killed reads in
its own directory what it had begun. All is imported before dpkg runs: an upgrade of OPMAS takes
these modules away below the job.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core.documents import fields
from opmas.core.job import BEGUN_FILE
from opmas.errors import BackendError, InvalidError, RequestError, UnknownPackageError
from opmas.host.files import write_whole
from opmas.packages.deb import PREFIX
from opmas.work import apt, dpkg
from opmas.work.children import Log, ask
from opmas.work.conffiles import Conffiles, beside, remove_unedited
from opmas.work.shelf import Debs, copy_deb
from opmas.work.stop import hold_stop
from opmas.work.task import UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.work.dpkg import Status
    from opmas.work.task import Task

BEGUN: Final = BEGUN_FILE
LOG: Final = "apt.log"
COPY: Final = "given.deb"
DEBSUMS: Final = Path("/usr/bin/debsums")


@dataclass(frozen=True, slots=True)
class Begun:
    """What there was before the job: the version, and where its .deb is kept."""

    version: str
    cached: str
    target: str  # a repository may offer another by the next run
    asked: str  # of which job: numbers begin anew with a new database


def install(task: Task) -> dict[str, Any]:
    """Install, update or downgrade to a version of a repository's or of a .deb file."""
    with task.parameters() as given:
        deb = given.need("deb", dpkg.deb_name, "")
        version = given.get("version", dpkg.deb_version, "")
        path = given.get("path", fields.absolute_path, "")
        allow_downgrade = given.get("allow_downgrade", fields.flag, default=False)
    work = _Work(task, deb)
    with work.given(Path(path) if path else None, version) as file:
        begun = work.begun()
        if begun is None:
            target = file.version if file else work.find_target(version)
            now = work.present()
            if now.configured and now.version == target:
                return _installed(Begun(now.version, "", target, ""))
            work.check_wish(now, target, allow_downgrade=allow_downgrade)
            begun = work.begin(now, target)
        else:
            work.settle()
        with work.undoable(begun), hold_stop():
            work.install(begun.target, file, allow_downgrade=allow_downgrade)
        return _installed(begun)


def roll_back(task: Task) -> dict[str, Any]:
    """Return to a version as it was: its .deb, its configuration files; and hold it there.

    Without the hold the next upgrade of the host would undo the rollback; `hold` as false lets
    the package go instead. Without `version` it is the newest that is kept and older than now's.
    """
    with task.parameters() as given:
        deb = given.need("deb", dpkg.deb_name, "")
        version = given.get("version", dpkg.deb_version, "")
        held = given.get("hold", fields.flag, default=True)
    work = _Work(task, deb)
    begun = work.begun()
    now = dpkg.status(deb)
    target = version or (begun.target if begun else work.version_before(now))
    path = work.debs.keep(deb, target)
    if begun is None:
        begun = work.begin(now, target, need_deb=False)
    with work.undoable(begun), hold_stop():
        with dpkg.frontend_lock():
            code, brought = work.bring_back(path, target)
            if dpkg.status(deb).present:
                dpkg.set_hold(deb, hold=held)
        work.check_end(target, code, f"return {deb} to {target}")
    return {
        "version": target,
        "previous": begun.version,
        "held": held,
        "conffiles": list(brought),
        "audit": list(dpkg.audit()),
        "debsums": list(_changed_files(deb)),
    }


def remove(task: Task) -> dict[str, Any]:
    """Remove the package, with `purge` its configuration too; never one that depends on it."""
    with task.parameters() as given:
        deb = given.need("deb", dpkg.deb_name, "")
        purge = given.get("purge", fields.flag, default=False)
    work = _Work(task, deb)
    begun = work.begun()
    now = dpkg.status(deb)
    if begun is None and now.present:
        work.check_held(now)
        begun = work.begin(now, need_deb=False)
    with hold_stop(), dpkg.frontend_lock():
        verb = "--purge" if purge else "--remove"
        known = now.present or (purge and bool(dpkg.conffiles(deb)))
        code = dpkg.run(verb, "--", deb, log=work.log, report=task.report) if known else 0
        if code and dpkg.status(deb).present:  # or the next dselect-upgrade would remove it
            dpkg.set_hold(deb, hold=False)
    if code or dpkg.status(deb).present:
        result = {"before": begun.version, "cached": begun.cached} if begun else {}
        raise UnfinishedError(f"cannot remove {deb}: dpkg refuses it", work.faults(), result)
    return {
        "before": begun.version if begun else "",
        "cached": begun.cached if begun else "",
        "audit": list(dpkg.audit()),
    }


def hold(task: Task) -> dict[str, Any]:
    """Hold the package, so that no upgrade changes it, or let it go; the same as apt-mark's."""
    with task.parameters() as given:
        deb = given.need("deb", dpkg.deb_name, "")
        held = given.need("hold", fields.flag, otherwise=True)
    if not dpkg.status(deb).present:
        raise UnknownPackageError(f"cannot hold {deb}: it is not installed")
    with dpkg.frontend_lock():
        dpkg.set_hold(deb, hold=held)
    return {"held": held}


def refresh(task: Task) -> dict[str, Any]:
    """Fetch the lists of the repositories, as `apt-get update` does."""
    with task.parameters():
        pass
    return {"warnings": list(apt.refresh(Log(task.folder / LOG), task.report))}


def policy(task: Task) -> dict[str, Any]:
    """Return which versions there are: here, in repositories, kept for a rollback."""
    with task.parameters() as given:
        deb = given.need("deb", dpkg.deb_name, "")
    found = apt.policy(deb)
    return {
        "installed": found.installed,
        "candidate": found.candidate,
        "versions": list(found.versions),
        "kept": list(Debs(task.paths.debs).versions(deb)),
        "held": dpkg.status(deb).held,
    }


@dataclass(frozen=True, slots=True)
class _Given:
    path: Path
    version: str


class _Work:
    """One job's view of one package."""

    def __init__(self, task: Task, deb: str) -> None:
        self._task = task
        self._deb = deb
        self._path = task.folder / BEGUN
        self._asked = json.dumps([task.job.kind, task.job.params], sort_keys=True)
        self.log = Log(task.folder / LOG)
        self.debs = Debs(task.paths.debs)

    @contextmanager
    def given(self, path: Path | None, version: str) -> Iterator[_Given | None]:
        """Give a copy of the .deb file as it is now, when it is of the package; or none."""
        try:
            yield self._read_given(path, version) if path else None
        finally:
            (self._task.folder / COPY).unlink(missing_ok=True)

    def _read_given(self, path: Path, version: str) -> _Given:
        copy = copy_deb(path, self._task.folder / COPY)
        built = dpkg.read_deb(copy)
        if built.name != self._deb:
            raise InvalidError(f"cannot install {path}: it is {built.name}, not {self._deb}")
        if not dpkg.DEB_VERSION.fullmatch(built.version):
            raise InvalidError(f"cannot install {path}: its version is {built.version!r}")
        if version and built.version != version:
            raise InvalidError(f"cannot install {path}: it is {built.version}, not {version}")
        return _Given(copy, built.version)

    def find_target(self, version: str) -> str:
        """Return the version to install: the wanted one, or what apt would."""
        known = apt.policy(self._deb)
        target = version or known.candidate
        if target not in {*known.versions, known.installed} - {""}:
            what = f"{self._deb} {version}".strip()
            has = f"; there are {', '.join(known.versions[:5])}" if known.versions else ""
            raise UnknownPackageError(
                f"cannot install {what}: no apt repository of this host has it{has}"
            )
        return _plain(self._deb, target)

    def previous(self, now: Status) -> str:
        """Return the version that a rollback returns to when none is named."""
        for version in self.debs.versions(self._deb):
            if version != now.version:
                return version
        raise UnknownPackageError(
            f"cannot roll back {self._deb}: no earlier version of it is kept on this host"
        )

    def begun(self) -> Begun | None:
        """Return what a run of this job that was killed had found; None in its first run."""
        try:
            begun = Begun(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        return begun if begun.asked == self._asked else None

    def install(self, version: str, file: _Given | None, *, allow_downgrade: bool) -> None:
        """Have apt install the version, unless that is done, and keep its .deb."""
        what = str(file.path) if file else f"{self._deb}={version}"
        downgrade = ["--allow-downgrades"] if allow_downgrade else []
        argv = ("install", "--no-remove", *downgrade, "--", what)
        code = 0
        if not self.is_at(version):
            code = apt.run(*argv, log=self.log, report=self._task.report)
        self.check_end(version, code, f"install {self._deb} {version}")
        if file:
            self.debs.add(file.path, self._deb, version)
        else:
            self.debs.keep_fetched(self._deb, version)

    def bring_back(self, path: Path, version: str) -> tuple[int, tuple[str, ...]]:
        """Have dpkg install the kept .deb, and make the configuration what it was with it.

        Return dpkg's exit code, and the files that were put aside then.
        """
        newer = dpkg.conffiles(self._deb)
        left = beside(newer)
        argv = ("--force-downgrade", "--install", "--", str(path))
        code = dpkg.run(*argv, log=self.log, report=self._task.report)
        shipped = {each.path for each in dpkg.conffiles(self._deb) if not each.obsolete}
        if not code:
            remove_unedited(each for each in newer if each.path not in shipped)
        kept = Conffiles(self._task.paths.conffiles, self._deb, version)
        brought = kept.bring_back(newer)
        for made in beside(newer) - left:
            if made.endswith((".dpkg-dist", ".dpkg-new")):
                Path(made).unlink(missing_ok=True)
        return code, brought

    def version_before(self, now: Status) -> str:
        """Return the newest version that is kept and older than the present one."""
        found = ""
        for version in self.debs.versions(self._deb):
            if dpkg.is_older(version, now.version) and not dpkg.is_older(
                version, found or version
            ):
                found = version
        if not found:
            raise InvalidError(
                f"cannot return {self._deb} to the version before: none is kept that is older "
                f"than {now.version or 'nothing'}: name the version"
            )
        return found

    @contextmanager
    def undoable(self, begun: Begun) -> Iterator[None]:
        """Have a failure within tell what there was before."""
        try:
            yield
        except BackendError as error:
            result = {"before": begun.version, "cached": begun.cached}
            raise UnfinishedError(error.message, error.problems, result) from error

    def begin(self, now: Status, target: str = "", *, need_deb: bool = True) -> Begun:
        """Put aside what is there now, and write down that the change begins."""
        cached = ""
        if now.present:
            self._task.report("keep")
            try:
                cached = str(self.debs.keep(self._deb, now.version))
            except BackendError:
                if need_deb:
                    raise
            folder = self._task.paths.conffiles
            Conffiles(folder, self._deb, now.version).save(dpkg.conffiles(self._deb))
        begun = Begun(now.version, cached, target, self._asked)
        write_whole(self._path, json.dumps(asdict(begun)) + "\n", 0o600)
        return begun

    def present(self) -> Status:
        """Return how the package is, after mending what somebody else left half done."""
        now = dpkg.status(self._deb)
        if now.present and not now.configured:
            self.settle()
            now = dpkg.status(self._deb)
        return now

    def check_wish(self, now: Status, target: str, *, allow_downgrade: bool) -> None:
        """Refuse what has to be asked for otherwise."""
        self.check_held(now)
        if now.present and dpkg.is_older(target, now.version) and not allow_downgrade:
            raise RequestError(
                f"cannot install {self._deb} {target}: {now.version} is newer, and a downgrade "
                "was not asked for"
            )

    def check_held(self, now: Status) -> None:
        """Refuse to change a package that is held."""
        if now.held:
            raise RequestError(
                f"cannot change {self._deb}: it is held; let it go first: opmas package unhold "
                f"{self._deb.removeprefix(PREFIX)}, or apt-mark unhold {self._deb}"
            )

    def is_at(self, version: str) -> bool:
        """Return whether that version is installed and configured."""
        now = dpkg.status(self._deb)
        return now.configured and now.version == version

    def check_end(self, version: str, code: int, doing: str) -> None:
        """See that the version is installed; try to mend it; else say exactly what is wrong."""
        if self.is_at(version):
            return
        faults = self.faults()
        self.settle()
        if not self.is_at(version):
            raise BackendError(
                f"cannot {doing}: ended with {code}", _unique(faults + self.faults())
            )

    def settle(self) -> None:
        """Finish what a run that was killed, or failed, has left half done."""
        now = dpkg.status(self._deb)
        half = now.present and not now.configured
        if not half and not dpkg.was_interrupted():
            return
        with hold_stop():
            with dpkg.frontend_lock():
                dpkg.run("--configure", "-a", log=self.log, report=self._task.report)
            if half and not dpkg.status(self._deb).configured:
                apt.run("--fix-broken", "--no-remove", "install",
                        log=self.log, report=self._task.report)  # fmt: skip

    def faults(self) -> tuple[str, ...]:
        """Return what the program said last, and what dpkg finds wrong on the host."""
        return (*self.log.tail, *(f"dpkg --audit: {line}" for line in dpkg.audit()))


def _plain(deb: str, version: str) -> str:
    """Return the version when it cannot be taken for something else, such as `1.0-`: to remove."""
    if not dpkg.DEB_VERSION.fullmatch(version):
        raise InvalidError(f"cannot install {deb}: {fields.shown(version)} is no version of it")
    return version


def _installed(begun: Begun) -> dict[str, Any]:
    return {
        "before": begun.version,
        "after": begun.target,
        "cached": begun.cached,
        "audit": list(dpkg.audit()),
    }


def _changed_files(deb: str) -> tuple[str, ...]:
    """Return the package's files that are not what it shipped, where debsums can tell."""
    with suppress(BackendError):
        if DEBSUMS.exists():
            answer = ask(str(DEBSUMS), "--silent", "--", deb)
            said = (answer.stdout + answer.stderr).splitlines()
            return tuple(line for line in said if "changed file" in line or "missing file" in line)
    return ()


def _unique(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
