"""The pytest plugin: the fixture `opmas_agent`.

pytest finds it by the entry point of an installed opmas; else `-p opmas.agent.testing.plugin`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.agent.testing.agent import AgentUnderTest

_AGENTS = pytest.StashKey[list["AgentUnderTest"]]()


class StartAgent(Protocol):
    """What the fixture `opmas_agent` is: a function that starts an agent."""

    def __call__(self, package: str | Path | None = None, **options: Any) -> AgentUnderTest:
        """Start an agent; the options are those of `AgentUnderTest`."""
        ...


@pytest.fixture
def opmas_agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartAgent]:
    """Return a function that starts an agent of the package that the test file is in.

    `opmas_agent(config={...})`; the options are those of `opmas.agent.testing.AgentUnderTest`.
    `package` is the directory of another package. When the test is over, agents are stopped; one
    that crashed unseen, or cannot be stopped, fails the test.
    """
    from opmas.agent.testing.agent import AgentUnderTest  # noqa: PLC0415 - pytest loads this file always
    from opmas.agent.testing.package import find_package, read_package  # noqa: PLC0415 - as above

    agents: list[AgentUnderTest] = []
    request.node.stash[_AGENTS] = agents
    stack = ExitStack()

    def start(package: str | Path | None = None, **options: Any) -> AgentUnderTest:
        found = find_package(request.path.parent) if package is None else Path(package)
        directory = tmp_path_factory.mktemp("agent")  # tmp_path is the test's own
        agent = AgentUnderTest(read_package(found), directory, **options)
        agents.append(stack.enter_context(agent))
        return agent

    yield start
    try:
        stack.close()
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Show, with a test that fails, how its agents were."""
    if call.when != "call" or call.excinfo is None:
        return
    from opmas.agent.testing.story import tell  # noqa: PLC0415 - as above

    for agent in item.stash.get(_AGENTS, []):
        story = tell(agent)
        if story not in str(call.excinfo.value):  # a wait that failed has told it
            item.add_report_section("call", f'agent "{agent.name}"', story)
