"""Whether a new version of the manager does well: pure."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

from opmas.rescue.judge import Cause, Standing, Unit, cause_of, stand

STAYS: Final = 60.0  # seconds up and answering without a break, and it is well
LIMIT: Final = 300.0  # seconds for that, from when dpkg is done
GIVEN_UP_FOR: Final = (
    5.0  # seconds that it is down for good; shorter, and somebody starts it again
)
# Seconds without an answer on a host that has much to do; a hang is ended by WatchdogSec=30.
SILENT_FOR: Final = 30.0
HALF_FOR: Final = 60.0  # the same of packages that dpkg left half configured: apt -f takes a while
TRIES: Final = 2  # a version that was undone so often is not guarded any more: somebody insists


class Look(NamedTuple):
    """What is seen at a moment: `installed` is the version, `whole` that dpkg is done with all."""

    at: float
    installed: str
    whole: bool
    manager: Unit | None
    answers: bool


class Watch(NamedTuple):
    """What the looks before have shown; times as in the looks."""

    began: float
    well_since: float | None = None
    down_since: float | None = None
    half_since: float | None = None
    pid: int = 0
    answered_at: float | None = None


class Verdict(Enum):
    """What is to be done with the upgrade."""

    WAIT = "wait"
    WELL = "well"
    BAD = "bad"
    LEFT = "left"  # there is nothing to judge any more


class Judgement(NamedTuple):
    """The verdict and the reason, in words for people."""

    verdict: Verdict
    reason: str = ""


def judge(watch: Watch, look: Look, to: str) -> tuple[Watch, Judgement]:
    """Return what is known after the look, and what follows."""
    if not look.whole:
        since = look.at if watch.half_since is None else watch.half_since
        watch = Watch(watch.began, half_since=since)
        if look.at - since >= HALF_FOR:
            return watch, Judgement(Verdict.BAD, "dpkg could not configure its packages")
        return watch, Judgement(Verdict.WAIT)
    if not look.installed and look.at - watch.began < LIMIT:
        return watch, Judgement(Verdict.WAIT)  # dpkg does not say: one that goes disarms the guard
    if look.installed != to:
        was = look.installed or "nothing"
        return watch, Judgement(Verdict.LEFT, f"opmas-manager {to} is not installed, but {was}")
    if watch.half_since is not None:
        watch = Watch(look.at)  # only now it can be up
    return _judge_manager(watch, look)


def _judge_manager(watch: Watch, look: Look) -> tuple[Watch, Judgement]:
    standing = Standing.MOVES if look.manager is None else stand(look.manager)
    watch = _noted(watch, look, standing)
    stays = watch.well_since is not None and look.at - watch.well_since >= STAYS
    if stays and look.answers:
        return watch, Judgement(Verdict.WELL)
    if watch.down_since is not None and look.at - watch.down_since >= GIVEN_UP_FOR:
        return watch, Judgement(Verdict.BAD, _why(look.manager))
    if look.at - watch.began < LIMIT:
        return watch, Judgement(Verdict.WAIT)
    if standing is Standing.STOPPED:
        return watch, Judgement(Verdict.LEFT, "opmas-manager was stopped by hand")
    return watch, Judgement(
        Verdict.BAD, f"it was not up and answering for {STAYS:g} s within {LIMIT:g} s"
    )


def _noted(watch: Watch, look: Look, standing: Standing) -> Watch:
    pid = watch.pid if look.manager is None else look.manager.pid
    answered_at = look.at if look.answers else watch.answered_at if pid == watch.pid else None
    speaks = answered_at is not None and look.at - answered_at < SILENT_FOR
    well_since = None
    if speaks and (standing is Standing.UP or look.manager is None):
        stays = watch.well_since is not None and watch.pid == pid
        well_since = watch.well_since if stays else look.at
    down_since = None
    if standing is Standing.DOWN:
        down_since = look.at if watch.down_since is None else watch.down_since
    return Watch(watch.began, well_since, down_since, None, pid, answered_at)


def _why(manager: Unit | None) -> str:
    if manager is None:
        return "systemd does not know it"
    cause = cause_of(manager)
    if cause is Cause.SETTINGS:
        return "it refuses the settings that the version before had taken (status 78)"
    return f"{cause.value} ({manager.result})"


def may_guard(to: str, undone: dict[str, Any] | None) -> bool:
    """Return whether the version is guarded: whoever installs it a third time means it."""
    count = (undone or {}).get(to, 0)
    return not isinstance(count, int) or count < TRIES
