"""A secret of a configuration: nothing that the manager says holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from opmas.errors import InvalidError
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-hunter2"
SCHEMA = """
  schema:
    type: object
    properties:
      user: {type: string}
      password: {type: string, secret: true, minLength: 8}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    for name in ("vault", "open"):
        folder = place.add_package(name)
        text = (folder / "agent.yaml").read_text()
        schema = SCHEMA if name == "vault" else SCHEMA.replace(", secret: true", "")
        start = text.index("  schema:")
        (folder / "agent.yaml").write_text(text[:start] + schema.lstrip("\n"))
    return place


@in_loop
async def test_no_document_holds_it_and_the_agent_gets_it(place: Place):
    async with place:
        view = await place.create(
            package="vault", config={"user": "u", "password": SECRET}, desired="stopped"
        )
        said = [
            view,
            await place.call("agent.list"),
            await place.call("agent.explain", name="web"),
            await place.call("change.list"),
            await place.call("change.show", id=view["change"]),
            await place.call(
                "agent.put", name="web", package="vault",
                config={"user": "v", "password": SECRET + "!"}, dry_run=True,
            ),
            await place.events(),
        ]  # fmt: skip

        assert view["config"] == {"user": "u", "password": "(secret)"}
        assert SECRET not in json.dumps(said)
        given = (place.path / "state/agents/web/config.json").read_text()
        assert SECRET in given


@in_loop
async def test_what_is_shown_can_be_given_back_with_a_change(place: Place):
    async with place:
        view = await place.create(package="vault", config={"user": "u", "password": SECRET})

        config = {**view["config"], "user": "v"}
        again = await place.create(package="vault", config=config)

        assert again["config"] == {"user": "v", "password": "(secret)"}
        assert place.manager.writer.roster.get("web").spec.config == {
            "user": "v",
            "password": SECRET,
        }
        shown = await place.call("change.show", id=again["change"])
        assert shown["after"] == {"config": {"user": "v", "password": "(secret)"}}


@in_loop
async def test_another_package_does_not_get_it(place: Place):
    async with place:
        view = await place.create(package="vault", config={"user": "u", "password": SECRET})

        moved = await place.create(package="open", config=view["config"])

        assert moved["config"] == {"user": "u", "password": "(secret)"}
        assert place.manager.writer.roster.get("web").spec.config["password"] == "(secret)"
        assert SECRET not in json.dumps(await place.call("change.list"))


@in_loop
async def test_a_refusal_does_not_hold_it(place: Place):
    async with place:
        with pytest.raises(InvalidError) as caught:
            await place.create(package="vault", config={"user": 1, "password": "hunter2"})

        assert "hunter2" not in str((caught.value.message, caught.value.problems))


@in_loop
async def test_of_a_package_that_went_nothing_is_shown(place: Place):
    async with place:
        await place.create(package="vault", config={"user": "u", "password": SECRET})
        (place.path / "packages/vault/agent.yaml").unlink()
        await place.call("package.scan")

        view = await place.show()

        assert view["config"] == {"user": "(secret)", "password": "(secret)"}
        assert SECRET not in json.dumps(await place.call("change.list"))


@in_loop
async def test_a_version_that_did_not_know_it_yet_does_not_show_it(place: Place):
    open_to_all = {"type": "object", "properties": {"password": {"type": "string"}}}
    flagged = {"properties": {"password": {"type": "string", "secret": True}}}
    stock.install(place.packages, "1.0.0", config={"schema": open_to_all})
    stock.install(place.packages, "2.0.0", config={"schema": flagged})
    async with place:
        await place.create(package="snore", version="2.0.0", config={"password": SECRET}, window=0)

        moved = await place.create(
            package="snore", version="1.0.0", config={"password": "(secret)"}, window=0
        )

        assert moved["config"] == {"password": "(secret)"}
        assert place.manager.writer.roster.get("web").spec.config == {"password": SECRET}
        assert SECRET not in json.dumps(await place.call("change.list"))
