"""`python3 -m opmas.packages.validate`: one check of a schema and a configuration, bounded.

Reads one JSON document from standard input, {"schema": …, "config": …, "path": "config"}, and
writes {"problems": ["path: reason", …]}. Without "config" only the schema is checked. Limits
itself before it looks at anything: a hostile schema costs 5 s of CPU and 512 MiB at most.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any, Final

CPU_SECONDS: Final = 5
MEMORY_BYTES: Final = 512 << 20


def main() -> int:
    """Answer the request on standard input."""
    _limit()
    request = json.load(sys.stdin)
    sys.stdout.write(json.dumps({"problems": _problems(request)}))
    return 0


def _limit() -> None:
    limits = {
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, limit in limits.items():
        # a lower limit of the caller's stays; its deadline holds in any case
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))


def _problems(request: dict[str, Any]) -> tuple[str, ...]:
    from opmas.packages import schema  # noqa: PLC0415 - after the limits: it is the costly part

    path = request.get("path", "config")
    found = schema.schema_problems(request["schema"], "config.schema")
    if found or "config" not in request:
        return found
    return schema.config_problems(request["schema"], request["config"], path)


if __name__ == "__main__":
    sys.exit(main())
