"""How much of the host one agent may use: what is written, and what then applies.

Three layers, the nearest wins for each limit: the agent's own, its package's, the template's
(`DEFAULT_LIMITS`, the same figures as in units/opmas-agent@.service). `memory_high` belongs to
`memory_max`: a layer that sets only the latter gets three quarters of it as the former, so
that an agent given more memory isn't throttled at the package's old mark.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent import Limits
from opmas.core.fields import Fields, Problems
from opmas.core.sizes import count, format_size, percent, size

if TYPE_CHECKING:
    from opmas.core.agent import AgentSpec
    from opmas.core.manifest import Manifest

MIB: Final = 1 << 20
DEFAULT_LIMITS: Final = Limits(
    memory_max=256 * MIB, memory_high=192 * MIB, tasks_max=64, cpu_quota=100, cpu_weight=50
)


def parse_limits(document: object, path: str = "limits") -> Limits:
    """Return the limits in a mapping, or raise `InvalidError` that names every fault."""
    problems = Problems()
    limits = read_limits(Fields(document, path, problems))
    problems.check("use these limits")
    return limits


def read_limits(section: Fields) -> Limits:
    """Return the limits in the section; its faults go to the section's `problems`."""
    limits = Limits(
        memory_max=section.get("memory_max", size(MIB, 1 << 50), None),
        memory_high=section.get("memory_high", size(MIB, 1 << 50), None),
        tasks_max=section.get("tasks_max", count(1, 4_194_304), None),  # the kernel's PID limit
        cpu_quota=section.get("cpu_quota", percent(1, 100_000), None),
        cpu_weight=section.get("cpu_weight", count(1, 10_000), None),
    )
    section.finish()
    if limits.memory_max and (limits.memory_high or 0) > limits.memory_max:
        section.problems.add(
            section.at("memory_high"),
            f"must not be above memory_max ({format_size(limits.memory_max)})",
        )
    return limits


def effective_limits(spec: AgentSpec, manifest: Manifest) -> Limits:
    """Return the limits that apply to the agent: a number for each."""
    found = DEFAULT_LIMITS
    for layer in (manifest.limits, spec.limits):
        given = {name: value for name, value in asdict(layer).items() if value is not None}
        if layer.memory_max is not None:
            given.setdefault("memory_high", layer.memory_max * 3 // 4)
        found = replace(found, **given)
    return replace(found, memory_high=min(found.memory_high or 0, found.memory_max or 0))


def memory_max(spec: AgentSpec, manifest: Manifest) -> int | None:
    """Return that one of the limits alone, for who asks often."""
    for layer in (spec.limits, manifest.limits, DEFAULT_LIMITS):
        if layer.memory_max is not None:
            return layer.memory_max
    return None
