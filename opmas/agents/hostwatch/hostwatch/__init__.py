"""hostwatch: watches the host it runs on, and tells when a threshold is crossed."""

from .agent import HostWatch

__all__ = ["HostWatch"]
