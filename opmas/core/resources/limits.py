"""How much of the host one agent may use: what is written, and what then applies.

Four layers, the nearest wins for each limit: the agent's own, its package's, the host's in
opmas.yaml, the template's (`DEFAULT_LIMITS`, the same figures as in units/opmas-agent@.service).
`memory_high` belongs to `memory_max`: a layer that sets only the latter gets three quarters of it
as the former, so that an agent given more memory isn't throttled at the package's old mark.

The host's ceilings come last: more than that is refused to an agent that asks for it, and cut
where a package does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Limits
from opmas.core.documents.fields import Fields, Problems
from opmas.core.documents.sizes import count, format_size, percent, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.documents.settings import LimitsSection
    from opmas.core.package.manifest import Manifest

MIB: Final = 1 << 20
NO_LIMITS: Final = Limits()
DEFAULT_LIMITS: Final = Limits(
    memory_max=256 * MIB,
    memory_high=192 * MIB,
    tasks_max=64,
    cpu_quota=100,
    cpu_weight=50,
    io_weight=50,
)


class Origin(StrEnum):
    """Who set a limit."""

    TEMPLATE = "template"
    HOST = "host"
    PACKAGE = "package"
    AGENT = "agent"
    LEARNED = "learned"  # the agent's own, which nobody set by hand
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What the host says: for agents whose packages say nothing, and above which none goes."""

    defaults: Limits = NO_LIMITS
    ceilings: Limits = NO_LIMITS


NO_HOST_LIMITS: Final = HostLimits()


@dataclass(frozen=True, slots=True)
class Resolved:
    """The limits that apply, who set each, and what was asked for where that was cut."""

    limits: Limits
    origins: Mapping[str, Origin]
    wanted: Mapping[str, int] = field(default_factory=dict)


def host_limits(section: LimitsSection) -> HostLimits:
    """Return what the settings say of limits."""
    return HostLimits(
        Limits(
            section.memory_max,
            section.memory_high,
            section.tasks_max,
            section.cpu_quota,
            section.cpu_weight,
            section.io_weight,
        ),
        Limits(
            memory_max=section.max_memory_max,
            tasks_max=section.max_tasks_max,
            cpu_quota=section.max_cpu_quota,
            cpu_weight=section.max_cpu_weight,
            io_weight=section.max_io_weight,
        ),
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
        io_weight=section.get("io_weight", count(1, 10_000), None),
    )
    section.finish()
    if limits.memory_max and (limits.memory_high or 0) > limits.memory_max:
        section.problems.add(
            section.at("memory_high"),
            f"must not be above memory_max ({format_size(limits.memory_max)})",
        )
    return limits


def check_ceilings(limits: Limits, host: HostLimits) -> None:
    """Raise `InvalidError` when an agent is to have more than this host gives to any."""
    problems = Problems()
    ceilings = asdict(host.ceilings)
    for name, value in asdict(limits).items():
        ceiling = ceilings[name]
        if value is not None and ceiling is not None and value > ceiling:
            problems.add(
                f"limits.{name}",
                f"must not be above {written(name, ceiling)}: this host's limits.max_{name} in"
                " opmas.yaml",
            )
    problems.check("use these limits")


def given(limits: Limits) -> dict[str, int]:
    """Return those of the limits that are set."""
    return {name: value for name, value in asdict(limits).items() if value is not None}


def written(name: str, value: int) -> str:
    """Return the value of that limit as people write it."""
    if name.startswith("memory"):
        return format_size(value)
    return f"{value}%" if name == "cpu_quota" else str(value)


def effective_limits(
    spec: AgentSpec, manifest: Manifest, host: HostLimits = NO_HOST_LIMITS
) -> Limits:
    """Return the limits that apply to the agent: a number for each."""
    return resolve(spec.limits, manifest.limits, host).limits


def resolve(own: Limits, package: Limits, host: HostLimits = NO_HOST_LIMITS) -> Resolved:
    """Return the limits that apply, and where each comes from."""
    found = asdict(DEFAULT_LIMITS)
    origins = dict.fromkeys(found, Origin.TEMPLATE)
    for origin, layer in (
        (Origin.HOST, host.defaults),
        (Origin.PACKAGE, package),
        (Origin.AGENT, own),
    ):
        own_part = given(layer)
        if layer.memory_max is not None:
            own_part.setdefault("memory_high", layer.memory_max * 3 // 4)
        found |= own_part
        origins |= dict.fromkeys(own_part, origin)
    wanted = _cut(found, origins, host.ceilings)
    limits = Limits(**found)
    high = min(limits.memory_high or 0, limits.memory_max or 0)
    return Resolved(replace(limits, memory_high=high), origins, wanted)


def _cut(found: dict[str, int], origins: dict[str, Origin], ceilings: Limits) -> dict[str, int]:
    """Cut what is above a ceiling, and return what it was."""
    wanted = {
        name: found[name]
        for name, ceiling in asdict(ceilings).items()
        if ceiling is not None and found[name] > ceiling
    }
    for name in wanted:
        found[name] = getattr(ceilings, name)
        origins[name] = Origin.CEILING
    if "memory_max" in wanted and found["memory_high"] > found["memory_max"] * 3 // 4:
        found["memory_high"] = found["memory_max"] * 3 // 4
        origins["memory_high"] = Origin.CEILING
    return wanted


def memory_max(
    spec: AgentSpec, manifest: Manifest, host: HostLimits = NO_HOST_LIMITS
) -> int | None:
    """Return that one of the limits alone, for who asks often."""
    for layer in (spec.limits, manifest.limits, host.defaults, DEFAULT_LIMITS):
        if layer.memory_max is not None:
            ceiling = host.ceilings.memory_max
            return layer.memory_max if ceiling is None else min(layer.memory_max, ceiling)
    return None
