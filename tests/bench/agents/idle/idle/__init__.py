"""The least an agent can be: what systemd, the sandbox and the SDK cost."""

from opmas.agent import BaseAgent


class Idle(BaseAgent):
    """Does nothing."""
