"""The documents about limits and use."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.terms import (
    amount,
    flag,
    list_of,
    map_of,
    number,
    one_of,
    or_null,
    record,
    text,
)

ORIGINS: Final = map_of(
    "who set each: `template`, `host`, `package`, `agent`, `learned`, or `ceiling` of the host"
)
CUT: Final = map_of("what was asked for, of those that the host's ceiling cut")
USAGE: Final = record(
    "what it uses; null when it does not run",
    {
        "memory_bytes": or_null(number("memory of its control group")),
        "held_bytes": or_null(number("of that, what the kernel cannot drop; with swap")),
        "tasks": or_null(number("processes and threads")),
        "cpu_seconds": or_null(amount("CPU time since it was started")),
        "open_files": or_null(number("file descriptors of all its processes")),
    },
    optional=("held_bytes", "open_files"),
)
PRESSURE: Final = "percent of the last 10 s in which some of it waited for {}; null: not known"
DETAIL: Final = or_null(
    record(
        "more of what it uses, counted since it was started (of one agent only); null: it is down",
        {
            "memory_peak_bytes": or_null(number("the most memory that it ever had")),
            "memory_throttled": number("times that it was slowed down for its memory"),
            "oom_kills": number("processes of it that were killed for memory"),
            "memory_pressure": or_null(amount(PRESSURE.format("memory"))),
            "cpu_pressure": or_null(amount(PRESSURE.format("a CPU"))),
            "io_pressure": or_null(amount(PRESSURE.format("disks"))),
            "read_bytes": or_null(number("read from disks; null: not accounted")),
            "written_bytes": or_null(number("written to disks")),
            "reads": or_null(number("operations")),
            "writes": or_null(number("operations")),
            "open_files_exact": or_null(flag("else `open_files` is an upper bound")),
            "open_files_limit": or_null(number("of the process that has most open")),
            "received_bytes": or_null(number("from the network; null without `IPAccounting=yes`")),
            "sent_bytes": or_null(number("to the network")),
        },
    )
)
AGENT_LIMITS: Final = record(
    "one agent",
    {
        "name": text("the agent"),
        "mode": one_of("the host's limits.learn", "off", "propose", "apply"),
        "limits": map_of("what applies to it: memory in bytes, cpu_quota in percent"),
        "limits_origin": ORIGINS,
        "limits_cut": CUT,
        "used": record(
            "what it uses now",
            {
                "memory_bytes": or_null(number("what the kernel cannot drop")),
                "tasks": or_null(number("processes and threads")),
            },
        ),
        "learned": record(
            "what was learned of it; figures are the 99th percentile of windows of 5 minutes",
            {
                "hours": amount("for how long it was watched"),
                "enough": flag("whether that is enough for a proposal"),
                "memory_bytes": or_null(number("what the kernel cannot drop")),
                "tasks": or_null(number("processes and threads")),
                "cpu_percent": or_null(number("of one CPU")),
            },
        ),
        "proposed": map_of("limits that would fit it better"),
        "signs": list_of(
            "in which ways it is close to its limits now",
            record("one", {"code": text("for programs"), "message": text("for people")}),
        ),
    },
)
