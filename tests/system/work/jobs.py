"""Jobs on a lab host, as the manager gives them to the worker's units."""

import json
from typing import Any, Final

from tests.lab import Host

JOBS: Final = "/var/lib/opmas/jobs"
LIMIT: Final = 120.0


def unit_of(job: str, kind: str) -> str:
    return f"opmas-{'apt' if kind.startswith('apt-') else 'package'}@{job}.service"


def put_job(host: Host, job: str, kind: str, **params: Any) -> str:
    """Write the job down; its unit."""
    text = json.dumps({"id": job, "kind": kind, "params": params})
    host.run("install", "-D", "-m", "600", "/dev/stdin", f"{JOBS}/{job}/job.json", input=text)
    return unit_of(job, kind)


def run_job(host: Host, job: str, kind: str, **params: Any) -> dict[str, Any]:
    """Have the job done by its unit; what came of it."""
    host.run("systemctl", "start", put_job(host, job, kind, **params), timeout=LIMIT)
    return result_of(host, job)


def result_of(host: Host, job: str) -> dict[str, Any]:
    text = host.run("cat", f"{JOBS}/{job}/result.json").stdout
    found: dict[str, Any] = json.loads(text)
    return found


def done(host: Host, job: str, kind: str, **params: Any) -> dict[str, Any]:
    """Have the job done; its result, when all went well."""
    outcome = run_job(host, job, kind, **params)
    assert outcome["ok"], outcome
    found: dict[str, Any] = outcome["result"]
    return found
