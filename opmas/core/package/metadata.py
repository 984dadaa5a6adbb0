"""What a package tells about itself beside how it runs: events, metrics, links, neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import NAME
from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

# What an agent may emit: the SDK refuses the same (opmas.agent, which imports nothing of this).
EVENT_TYPE: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+){0,7}")
# A name of Prometheus, as the SDK takes it, of a length that a table can show.
METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,99}")
UNIT: Final = re.compile(r"[a-zA-Z0-9_%/]{1,30}")
URL: Final = re.compile(r"https?://[A-Za-z0-9][!-~]{0,500}")
METRICS: Final = 200  # of one package
# What `dpkg --print-architecture` says on the ports of Debian 12 and 13.
ARCHITECTURES: Final = (
    "amd64", "arm64", "armel", "armhf", "i386", "loong64", "mips64el", "mipsel", "ppc64el",
    "riscv64", "s390x",
)  # fmt: skip
# The same machines as uname(1) and others call them.
_OTHER_NAMES: Final = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "i686": "i386"}


class MetricType(StrEnum):
    """What kind of number a metric is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that the package's agents export."""

    name: str
    type: MetricType
    unit: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """Where to read on, each a URL or empty."""

    homepage: str = ""
    documentation: str = ""
    source: str = ""
    issues: str = ""


@dataclass(frozen=True, slots=True)
class EventTypes:
    """The types of events that the package's agents emit and want to be told of."""

    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()


name: Final = fields.matching(
    NAME, 'must be 1 to 63 lower-case letters, digits and inner hyphens, like "web-2"'
)
_EVENT_TYPES: Final = fields.each(
    fields.matching(EVENT_TYPE, "must be dotted lower-case words, like threshold.crossed")
)
_METRIC_NAME: Final = fields.matching(
    METRIC_NAME, "must be a name as in Prometheus, like requests_total"
)
_UNIT: Final = fields.matching(UNIT, "must be a unit like seconds, bytes or percent")
_URL: Final = fields.matching(URL, "must be a URL like https://example.org/weblog")


def names(value: object) -> tuple[str, ...]:
    """Read a list of names, each once."""
    found = fields.each(name)(value)
    again = [place for place, each in enumerate(found) if each in found[:place]]
    if again:
        raise FieldError(*((f"[{place}]", f'"{found[place]}" is there twice') for place in again))
    return found


def read_event_types(section: Fields) -> EventTypes:
    """Return the types in the section; its faults go to the section's `problems`."""
    types = EventTypes(
        publishes=section.get("publishes", _EVENT_TYPES, ()),
        subscribes=section.get("subscribes", _EVENT_TYPES, ()),
    )
    section.finish()
    return types


def read_links(section: Fields) -> Links:
    """Return the links in the section; its faults go to the section's `problems`."""
    links = Links(
        homepage=section.get("homepage", _URL, ""),
        documentation=section.get("documentation", _URL, ""),
        source=section.get("source", _URL, ""),
        issues=section.get("issues", _URL, ""),
    )
    section.finish()
    return links


def read_metrics(sections: Iterable[Fields]) -> tuple[Metric, ...]:
    """Return the metrics, a section each; no two have one name."""
    found: list[Metric] = []
    for section in sections:
        metric = Metric(
            name=section.need("name", _METRIC_NAME, ""),
            type=section.need("type", fields.one_of(MetricType), MetricType.GAUGE),
            unit=section.get("unit", _UNIT, ""),
            help=section.need("help", fields.line, ""),
        )
        section.finish()
        if metric.name and metric.name in {each.name for each in found}:
            section.problems.add(section.at("name"), f'"{metric.name}" is there twice')
        found.append(metric)
    return tuple(found)


def architecture(value: object) -> str:
    """Read Debian's name of an architecture."""
    if isinstance(value, str) and value in ARCHITECTURES:
        return value
    hint = ""
    if isinstance(value, str):
        other = _OTHER_NAMES.get(value)
        hint = f'; did you mean "{other}"?' if other else nearest(value, ARCHITECTURES)
        if value in {"all", "any"}:
            hint = "; a package for all of them leaves the key out"
    must = "must be Debian's name of an architecture, like amd64"
    raise FieldError(("", f"{must}, not {shown(value)}{hint}"))
