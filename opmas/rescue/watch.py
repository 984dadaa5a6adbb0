"""The guard at work: waits for dpkg, watches the new version, and goes back when it is bad."""

from __future__ import annotations

import json
import shutil
import socket
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.rescue import database, dpkg, keep
from opmas.rescue.documents import read_document, write_document, write_text
from opmas.rescue.guard import PENDING, PIN, REVERTING, UNDONE, disable, disarm
from opmas.rescue.judge import Standing, stand
from opmas.rescue.loop import say
from opmas.rescue.places import MANAGER, RESCUE, RESULT_FILE
from opmas.rescue.systemd import Systemd, call
from opmas.rescue.verdict import Judgement, Look, Verdict, Watch, judge, may_guard

if TYPE_CHECKING:
    from opmas.rescue.judge import Unit
    from opmas.rescue.places import Places

LOOK: Final = 1.0  # seconds between two looks
ANSWERS_WITHIN: Final = 5.0
BACK_WITHIN: Final = 120.0  # seconds for the version before to answer
STOPS_WITHIN: Final = 90.0
TREES: Final = Path("/usr/lib/opmas")


class Guard:
    """One upgrade, from its end to its proof, or to the version before."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._systemd = Systemd()

    def run(self) -> None:
        """Go on until the upgrade is judged, and what follows is done."""
        pending = self._pending()
        if pending is None:
            disarm(self._places)
            return
        if pending["phase"] == REVERTING:  # the power went while it was undone
            self._revert(pending, str(pending.get("reason")))
            return
        judgement = self._watch()
        pending = self._pending()
        if pending is None:
            return
        if judgement.verdict is Verdict.BAD:
            self._revert(pending, judgement.reason)
            return
        if judgement.verdict is Verdict.WELL:
            say(f"opmas-manager {pending['to']} does well")
            self._forget_undone()
        else:
            say(f"the upgrade to {pending['to']} is not watched any more: {judgement.reason}")
        disarm(self._places)

    def _pending(self) -> dict[str, Any] | None:
        found = read_document(self._places.guard / PENDING)
        return found if found and {"from", "to", "phase"} <= found.keys() else None

    def _watch(self) -> Judgement:
        self._wait_for_dpkg()
        watch, to = Watch(time.monotonic()), ""
        while True:
            pending = self._pending()
            if pending is None:
                return Judgement(Verdict.LEFT, "somebody took it up")
            look = self._look(str(pending["from"]))
            if self._follows(look.installed, pending):  # a next upgrade came meanwhile
                pending = {**pending, "to": look.installed}
                write_document(self._places.guard / PENDING, pending)
            if pending["to"] != to:
                self._wait_for_dpkg()
                watch, to = Watch(time.monotonic()), str(pending["to"])
                say(f"watching opmas-manager {to}; the way back is {pending['from']}")
                continue
            watch, judgement = judge(watch, look, to)
            if judgement.verdict is not Verdict.WAIT:
                with dpkg.frontend_lock() as is_ours:
                    if is_ours:
                        return judgement
                self._wait_for_dpkg()  # somebody is at it again: what was seen may be over
                watch = Watch(time.monotonic())
            time.sleep(LOOK)

    def _follows(self, installed: str, pending: dict[str, Any]) -> bool:
        """Return whether that is another version than the one watched, to be watched instead.

        An agent's package that is newer than the manager names a version that never comes.
        """
        if not installed or installed in {pending["to"], pending["from"]}:
            return False
        is_newer = dpkg.is_newer(installed, str(pending["from"]))
        return is_newer and may_guard(installed, read_document(self._places.guard / UNDONE))

    def _wait_for_dpkg(self) -> None:
        """Return when nobody has dpkg's lock, however long that takes."""
        while True:
            with dpkg.frontend_lock() as is_ours:
                if is_ours:
                    return
            time.sleep(LOOK)

    def _look(self, before: str) -> Look:
        present = dpkg.packages()
        names = (keep.kept(self._places.guard / before) or {}).get("debs", {})
        ours = [each for name, each in present.items() if name in names]
        main = present.get(dpkg.MAIN)
        manager = self._manager()
        is_up = manager is not None and stand(manager) is Standing.UP
        return Look(
            at=time.monotonic(),
            installed=main.version if main else "",
            whole=all(each.status == "installed" for each in ours),
            manager=manager,
            answers=is_up and answers(self._places.socket),
        )

    def _manager(self) -> Unit | None:
        return self._systemd.show([MANAGER]).get(MANAGER)

    # ---- the way back ----

    def _revert(self, pending: dict[str, Any], reason: str) -> None:
        before, bad = str(pending["from"]), str(pending["to"])
        say(f"opmas-manager {bad} does not do well: {reason}: going back to {before}", 3)
        if pending["phase"] != REVERTING:
            self._count_undone(bad)
        again = {**pending, "phase": REVERTING, "reason": reason}
        write_document(self._places.guard / PENDING, again)
        restored, wrong = self._install_when_free(before, bad)
        if not wrong:
            self._bar(bad)
            wrong = self._wait_until_back()
        self._write_result(again, restored, wrong)
        if wrong:
            self._give_up()
        else:
            disarm(self._places)

    def _install_when_free(self, before: str, bad: str) -> tuple[str, str]:
        while True:
            with dpkg.frontend_lock() as is_ours:
                if is_ours:
                    return self._install(before, bad)
            time.sleep(LOOK)

    def _install(self, before: str, bad: str) -> tuple[str, str]:
        """Install what was kept; what became of the database, and what went wrong."""
        folder = self._places.guard / before
        document = keep.kept(folder)
        if document is None:
            return "", f"nothing is kept of {before}"
        present = dpkg.packages()
        if dpkg.MAIN not in present:
            return "", "dpkg does not say what is installed"
        # not the agents: they run on with what they have in memory
        call("/usr/bin/systemctl", "stop", RESCUE, MANAGER, limit=STOPS_WITHIN)
        restored = self._bring_database_back(folder, int(document.get("schema", 0)))
        self._systemd.forgive(MANAGER)
        files = [
            str(folder / file)
            for name, file in document["debs"].items()
            if name in present and present[name][1::2] != (before, "installed")
        ]
        code = dpkg.run("--install", *files) if files else 0
        if code:
            dpkg.run("--configure", "--pending")
            code = dpkg.run("--install", *files)
        else:  # modules that were compiled by hand, or half a compilation: dpkg does not know them
            shutil.rmtree(TREES / bad, ignore_errors=True)
        left = dpkg.audit()
        return restored, f"dpkg ended with {code}: {left}" if code or left else ""

    def _bring_database_back(self, folder: Path, known: int) -> str:
        path = self._places.state / keep.DATABASE
        backups = [*(self._places.state / "backups").glob("manager-*.db"), folder / keep.DATABASE]
        mark = f"undone-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        try:
            done = database.bring_back(path, known, backups, mark) if known else ""
        except OSError as error:
            done = f"the database cannot be brought back: {error}"
        if done:
            say(done, 4)
        return done

    def _wait_until_back(self) -> str:
        self._systemd.start_later(MANAGER)  # dpkg has started it, unless its script could not
        deadline = time.monotonic() + BACK_WITHIN
        while time.monotonic() < deadline:
            if answers(self._places.socket):
                return ""
            time.sleep(LOOK)
        return f"it does not answer within {BACK_WITHIN:g} s"

    # ---- what is remembered ----

    def _count_undone(self, bad: str) -> None:
        path = self._places.guard / UNDONE
        undone = read_document(path) or {}
        known = undone.get(bad)
        undone[bad] = known + 1 if isinstance(known, int) else 1
        write_document(path, undone)

    def _bar(self, bad: str) -> None:
        """Have apt not take the version again by itself: the next nightly run would."""
        names = " ".join(sorted(dpkg.packages()))
        text = (
            f"# Written by OPMAS: its version {bad} was installed and did not get healthy.\n"
            "# A later version lifts this, and so does removing the file.\n"
            f"Package: {names}\nPin: version {bad}\nPin-Priority: -1\n"
        )
        try:
            write_text(PIN, text)
        except OSError as error:
            say(f"cannot write {PIN}: {error.strerror}", 4)

    def _forget_undone(self) -> None:
        for path in (PIN, self._places.guard / UNDONE, self._places.guard / RESULT_FILE):
            path.unlink(missing_ok=True)

    def _write_result(self, pending: dict[str, Any], restored: str, wrong: str) -> None:
        before, bad = pending["from"], pending["to"]
        said = f"opmas-manager {bad} did not get healthy: {pending['reason']}: "
        folder = self._places.guard / str(before)
        tail = (
            f"going back to {before} failed: {wrong}: run dpkg --install {folder}/*.deb"
            if wrong
            else f"{before} is installed again; a later version, or removing {PIN} and"
            f" {self._places.guard / RESULT_FILE}, ends this"
        )
        document = {
            "outcome": "failed" if wrong else "reverted",
            "from": bad,
            "to": before,
            "reason": pending["reason"],
            "message": "; ".join(filter(None, (said + tail, restored))),
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        write_document(self._places.guard / RESULT_FILE, document)
        say(document["message"], 3 if wrong else 4)

    def _give_up(self) -> None:
        """Leave what is kept for somebody to install it by hand, and do not try again at boot."""
        pending = self._places.guard / PENDING
        pending.rename(pending.with_name("failed.json"))
        disable()


def answers(path: Path) -> bool:
    """Return whether the manager at the socket says how it is."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "host.status", "params": {}}
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(ANSWERS_WITHIN)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as reader:
                found = json.loads(reader.readline(1 << 20))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and isinstance(found.get("result"), dict)
