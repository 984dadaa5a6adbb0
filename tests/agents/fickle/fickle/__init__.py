"""An agent whose health goes to and fro."""

from opmas.agent import BaseAgent, Check, Health


class Fickle(BaseAgent):
    """Is unhealthy every other time that it is asked; its work goes on."""

    interval = 0.5
    health_interval = 0.5

    def setup(self) -> None:
        """Begin well."""
        self.asked = 0

    def run(self) -> None:
        """Do a piece of work."""

    def check_health(self) -> Health:
        """Say the other thing."""
        self.asked += 1
        status = "unhealthy" if self.asked % 2 else "healthy"
        pool = Check("pool", status, "pool-empty" if self.asked % 2 else "")
        return Health(checks=[Check("database", checks=[pool])])
