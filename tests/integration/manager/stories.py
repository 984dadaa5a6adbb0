"""The stories that are cut: each operation, and where the host is before and after it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

from opmas.packages.deb import Deb
from tests.integration.manager import stock
from tests.integration.manager.cuts import Host, Story
from tests.integration.manager.worker import Apt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.integration.manager.place import Place

WINDOW: Final = 0.05
MIGRATES: Final[dict[str, Any]] = {"hooks": {"migrate": ["/bin/true"]}}
SYSTEM: Final = """
api: opmas.agent/v1
name: {name}
version: "{version}"
summary: Snoozes
runtime: exec
command: [/bin/sleep, infinity]
{hooks}
"""
DEB: Final = "opmas-agent-snooze"
ONE, TWO = "snore 1.0.0", "snore 2.0.0"


def asks(method: str, **params: Any) -> Callable[[Place], Awaitable[object]]:
    """Return what asks the manager of the place for that."""

    def ask(place: Place) -> Awaitable[object]:
        return place.call(method, **params)

    return ask


async def nothing(place: Place) -> None:
    """Begin with an empty host."""


def runs(
    version: str, *others: str, data: str = "", names: tuple[str, ...] = ("web",), **keys: Any
) -> Callable[[Place], Awaitable[None]]:
    """Begin with agents of that version, and others installed; of 2.0.0 are the `keys`."""

    async def begin(place: Place) -> None:
        for each in (version, *others):
            stock.install(place.packages, each, **(keys if each == "2.0.0" else {}))
        await place.call("package.scan")
        for name in names:
            await place.create(name, package="snore", version=version)
            write_data(place, data, name)

    return begin


def write_data(place: Place, data: str, name: str = "web") -> None:
    """Let the agent have written that."""
    folder = place.paths.agent_states / name
    folder.mkdir(parents=True)
    (folder / "data").write_text(data)


async def runs_debian(place: Place) -> None:
    """Begin with an agent of a Debian package, whose version 2.0 migrates."""

    def manifest(name: str, version: str) -> str:
        hooks = "hooks: {migrate: [/bin/true]}" if version == "2.0" else ""
        return SYSTEM.format(name=name, version=version, hooks=hooks)

    Apt(place, manifest).install(DEB, "1.0")
    await place.call("package.scan")
    await place.create("web", package="snooze")
    write_data(place, "one\n")


async def runs_delivered(place: Place) -> None:
    """Begin with an agent of a bundle that a Debian package delivered."""
    place.debs["opmas-agent-snore"] = Deb("opmas-agent-snore", "1.0.0", configured=True)
    stock.deliver(place.packages, "1.0.0")
    await place.call("package.scan")
    await place.create("web", package="snore", version="1.0.0")


def delivers(version: str) -> Callable[[Place], Awaitable[object]]:
    """Return what unpacks the bundle as dpkg does, and tells the manager."""

    def ask(place: Place) -> Awaitable[object]:
        place.delivered.mkdir(exist_ok=True)
        shutil.copy(stock.bundle("snore", version), place.delivered)
        return place.call("package.scan")

    return ask


async def two_and_a_bundle(place: Place) -> None:
    """Begin with two agents, and a newer version in a directory of bundles."""
    await runs("1.0.0", names=("one", "two"))(place)
    (place.path / "bundles").mkdir()
    shutil.copy(stock.bundle("snore", "2.0.0"), place.path / "bundles")


def host(version: str = "", data: str = "", *installed: str, **config: int) -> Host:
    """Return a host with one agent, or none."""
    agents = {"web": (version, dict(config), data)} if data or version else {}
    return Host(agents, frozenset(installed))


def two(one: str, other: str, *installed: str) -> Host:
    """Return a host with two agents."""
    return Host({"one": (one, {}, ""), "two": (other, {}, "")}, frozenset(installed))


UPDATE: Final = asks("agent.update", name="web", version="2.0.0", window=WINDOW)
BACK: Final = asks("agent.rollback", name="web", version="1.0.0", window=WINDOW)
DEB_UPDATE: Final = asks("package.update", name="snooze", version="2.0", window=WINDOW)


def put(**params: Any) -> Callable[[Place], Awaitable[object]]:
    """Return what changes the specification of the agent."""
    return asks("agent.put", name="web", package="snore", window=WINDOW, **params)


STORIES: Final = {
    "install": Story(
        nothing,
        lambda place: place.call("package.install", file=str(stock.bundle())),
        host(),
        host("", "", ONE),
    ),
    "update": Story(
        runs("1.0.0", "2.0.0"), UPDATE, host("1.0.0", "", ONE, TWO), host("2.0.0", "", ONE, TWO)
    ),
    "update-migrate": Story(
        runs("1.0.0", "2.0.0", data="one\n", **MIGRATES),
        UPDATE,
        host("1.0.0", "one\n", ONE, TWO),
        host("2.0.0", "one\n1.0.0->2.0.0\n", ONE, TWO),
    ),
    "rollback": Story(
        runs("2.0.0", "1.0.0", data="two\n", **MIGRATES),
        BACK,
        host("2.0.0", "two\n", ONE, TWO),
        host("1.0.0", "two\n2.0.0->1.0.0\n", ONE, TWO),
    ),
    "bad-update": Story(
        runs("1.0.0", "2.0.0", data="one\n", **MIGRATES),
        UPDATE,
        host("1.0.0", "one\n", ONE, TWO),
        host("1.0.0", "one\n", ONE, TWO),
        bad=frozenset({"2.0.0"}),
    ),
    "config": Story(
        runs("1.0.0"), put(config={"naps": 7}), host("1.0.0", "", ONE),
        host("1.0.0", "", ONE, naps=7),
    ),
    "live-config": Story(
        runs("2.0.0", runtime="python"), put(config={"naps": 7}), host("2.0.0", "", TWO),
        host("2.0.0", "", TWO, naps=7),
    ),
    "remove": Story(
        runs("1.0.0"), asks("agent.remove", name="web"), host("1.0.0", "", ONE),
        host("", "", ONE),
    ),
    "remove-package": Story(
        runs("2.0.0", "1.0.0"), asks("package.remove", name="snore", version="1.0.0"),
        host("2.0.0", "", ONE, TWO), host("2.0.0", "", TWO),
    ),
    "update-deb": Story(
        runs_debian, DEB_UPDATE, host("", "one\n", f"{DEB} 1.0"),
        host("", "one\n1.0->2.0\n", f"{DEB} 2.0"),
    ),
    "bad-update-deb": Story(
        runs_debian, DEB_UPDATE, host("", "one\n", f"{DEB} 1.0"),
        host("", "one\n", f"{DEB} 1.0"), bad=frozenset({"2.0"}),
    ),
    "delivered": Story(
        runs_delivered, delivers("2.0.0"),
        host("2.0.0", "", ONE, TWO, "opmas-agent-snore 1.0.0"),
        host("2.0.0", "", ONE, TWO, "opmas-agent-snore 1.0.0"),
        sections={"changes": {"watch": 0}},
    ),
    "update-package": Story(
        two_and_a_bundle, asks("package.update", name="snore", window=WINDOW),
        two("1.0.0", "1.0.0", ONE), two("2.0.0", "2.0.0", ONE, TWO),
        between=(
            two("1.0.0", "1.0.0", ONE, TWO),
            two("2.0.0", "1.0.0", ONE, TWO),
            two("1.0.0", "2.0.0", ONE, TWO),
        ),
    ),
}  # fmt: skip
