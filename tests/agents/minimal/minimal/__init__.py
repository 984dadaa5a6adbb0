"""The least an agent can be: what the SDK itself costs."""

from opmas.agent import BaseAgent


class Minimal(BaseAgent):
    """Does nothing."""
