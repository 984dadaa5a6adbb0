"""What an author's mistakes are told."""

import pytest

from opmas.agent import AgentError, BaseAgent, ConfigError, DependencyError, FatalError, Kind
from opmas.agent.process import is_async


class Plain(BaseAgent):
    def run(self):
        """Work."""


class Asynchronous(BaseAgent):
    async def on_event(self, event):
        """Work."""


@pytest.mark.parametrize(
    ("cls", "expected"), [(BaseAgent, False), (Plain, False), (Asynchronous, True)]
)
def test_one_async_method_makes_an_asyncio_agent(cls, expected):
    assert is_async(cls) is expected


def test_using_the_sdk_before_setup_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"move this to setup\(\)"):
        _ = Plain().config


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (AgentError("x"), Kind.RETRY, "agent-error"),
        (ConfigError("x"), Kind.FATAL, "invalid-config"),
        (DependencyError("x"), Kind.RETRY, "dependency-away"),
        (DependencyError("x", kind=Kind.DEGRADE, code="db-slow"), Kind.DEGRADE, "db-slow"),
        (FatalError("x"), Kind.FATAL, "fatal"),
    ],
)
def test_each_error_declares_what_is_done_about_it(error, kind, code):
    assert (error.kind, error.code, str(error)) == (kind, code, "x")
