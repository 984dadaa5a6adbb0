"""The programs of a package beside its agent's own, run as in their units: hooks, checks."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from opmas.agent.testing.errors import CommandFailedError, SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.agent.testing.package import Package

PROBE_TIMEOUT: Final = 5.0


def run_hook(package: Package, name: str, environ: Mapping[str, str]) -> str:
    """Run the hook and return what it said, or raise `CommandFailedError`."""
    hook = package.hooks.get(name)
    if not hook:
        raise SetupError(f"cannot run the hook {name}: agent.yaml has none (hooks.{name})")
    timeout = {"migrate": package.migrate, "pre_stop": package.stop}.get(name, package.start)
    if isinstance(hook, str):  # a function of the package
        sdk = [sys.executable, "-sP", "-m", "opmas.agent.hook", "--path", str(package.directory)]
        return _run(f"the hook {name}", [*sdk, hook], environ, timeout)
    return _run(f"the hook {name}", package.program(hook), environ, timeout)


def run_check(package: Package, environ: Mapping[str, str]) -> str:
    """Run the health check and return what it said, or raise `CommandFailedError`."""
    check = package.health_check
    timeout = float(check.get("timeout", PROBE_TIMEOUT))
    for kind in ("http", "tcp"):
        if kind in check:
            probe = [sys.executable, "-sP", "-m", "opmas.agent.probe", kind, check[kind]]
            return _run("the health check", [*probe, f"{timeout:g}"], environ, timeout + 1)
    if "command" not in check:
        raise SetupError("cannot run the health check: agent.yaml has none (health_check)")
    return _run("the health check", package.program(check["command"]), environ, timeout)


def _run(what: str, argv: list[str], environ: Mapping[str, str], timeout: float) -> str:
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise SetupError(f"cannot run {what}: {argv[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailedError(what, -9, f"it did not end within {timeout:g} s") from error
    if done.returncode:
        raise CommandFailedError(what, done.returncode, done.stdout.strip())
    return done.stdout.strip()
