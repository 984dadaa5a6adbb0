"""What goes wrong in a test of an agent that is no failed assertion."""

from __future__ import annotations


class SetupError(Exception):
    """The agent under test cannot be run as it is: its package, or what is installed here."""


class ConfigRefusedError(Exception):
    """The configuration was refused: by the package's schema, or by the agent itself."""

    def __init__(self, reason: str, by: str) -> None:
        super().__init__(f"{reason} (refused by the {by})")
        self.reason = reason
        self.by = by  # "schema" or "agent"


class CommandFailedError(Exception):
    """A hook or a health check did not end with exit code 0."""

    def __init__(self, what: str, exit_code: int, output: str) -> None:
        super().__init__(
            f"{what} ended with exit code {exit_code}: {output or '(it said nothing)'}"
        )
        self.exit_code = exit_code
        self.output = output
