"""What OPMAS did by itself with deliveries, and is not to do again: kept over restarts.

An update that was begun is remembered under its agent as it is then, until that is changed or the
time of `knownbad` is over; a removal under the file that was delivered, until that is another.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.condition import dump_spec
from opmas.core.change.change import Change, Kind, TaskName
from opmas.core.change.knownbad import Bad, is_barred, key, remember
from opmas.core.change.reverting import config_digest

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.roster import Roster

TRIED: Final = "automatic"
REMOVED: Final = "removed"


def was_tried(roster: Roster, spec: AgentSpec, version: str, now: float) -> bool:
    """Return whether the agent as it is was given the version lately; `now` is since 1970."""
    return is_barred(roster.bad.get(_tried(spec, version)), now)


def trying(roster: Roster, spec: AgentSpec, version: str, now: float) -> Roster:
    """Return the roster that knows that the agent is given the version now."""
    under = _tried(spec, version)
    return replace(roster, bad={**roster.bad, under: remember(roster.bad.get(under), now, TRIED)})


def was_removed(roster: Roster, name: str, version: str, path: Path) -> bool:
    """Return whether somebody removed the version that this very file delivered."""
    found = roster.bad.get(key(name, version, REMOVED))
    return found is not None and found.cause == _mark(path)


def removing(roster: Roster, change: Change, delivered: Path) -> Roster:
    """Return the roster that knows which delivered versions are removed by somebody's change."""
    if change.kind is not Kind.REMOVE or change.is_of_agent:
        return roster
    bad = dict(roster.bad)
    for task in change.tasks:
        if task.name is TaskName.UNINSTALL:
            name, version = task.params["name"], task.params["version"]
            mark = _mark(delivered / f"{name}-{version}.opmas")
            if mark:
                bad[key(name, version, REMOVED)] = Bad(1, 0.0, mark)
    return replace(roster, bad=bad)


def tried_anew(roster: Roster, package: str) -> Roster:
    """Return the roster that forgot what was tried with the package: somebody let it go."""
    bad = {
        k: b for k, b in roster.bad.items() if not k.startswith(f"{package}/") or _by(k) != TRIED
    }
    return replace(roster, bad=bad)


def pruned(roster: Roster, delivered: Path) -> Roster:
    """Return the roster without what no agent and no file is remembered by any more."""
    bad = {k: b for k, b in roster.bad.items() if _holds_good(roster, k, b, delivered)}
    return roster if len(bad) == len(roster.bad) else replace(roster, bad=bad)


def _holds_good(roster: Roster, under: str, bad: Bad, delivered: Path) -> bool:
    package, version, tail = under.split("/", 2)
    if _by(under) == TRIED:
        agent = roster.agents.get(tail.split("/")[1])
        return agent is not None and tail == _tail(agent.spec)
    return tail != REMOVED or bad.cause == _mark(delivered / f"{package}-{version}.opmas")


def _by(under: str) -> str:
    return under.split("/", 3)[2]


def _tried(spec: AgentSpec, version: str) -> str:
    return key(spec.package, version, _tail(spec))


def _tail(spec: AgentSpec) -> str:
    identity = config_digest({**dump_spec(spec), "desired": ""})  # a stop is no change
    return f"{TRIED}/{spec.name}/{identity}"


def _mark(path: Path) -> str:
    """Return what another file in its place has not, though it be the same archive's."""
    with contextlib.suppress(OSError):
        stat = path.stat()
        return f"{stat.st_ino}-{stat.st_ctime_ns}"
    return ""
