"""`python3 -m tests.bench`: the figures of docs/explanation/performance.md, measured anew."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import table
from tests.bench.figure import Figure, read_figure
from tests.bench.inside import MEASURES
from tests.bench.machine import describe, summary
from tests.lab import Host
from tests.system.install import BUILD, build, install

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE: Final = Path(__file__).parent
CODE: Final = "/opt/bench"
AGENTS: Final = "/opt/bench-agents"
QUIET_LOAD: Final = 0.5
BEGUN: Final = time.monotonic()
MANAGER_DROP_IN: Final = "/etc/systemd/system/opmas-manager.service.d/bench.conf"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a target is missed and `--check` asks for that."""
    asked = _arguments(argv)
    if os.geteuid() != 0:
        print("bench: cannot measure: it needs root, for a lab host", file=sys.stderr)
        return 2
    machine = describe()
    say(summary(machine))
    if machine["load"] > QUIET_LOAD:
        say("other work loads this machine: times are too long, ratios hold")
    try:
        figures = list(_measure(asked))
    except MeasureError as error:
        print(f"bench: cannot measure: {error}", file=sys.stderr)
        return 2
    machine["load_after"] = round(os.getloadavg()[0], 2)
    if asked.json:
        _write(asked.json, machine, figures)
    print("\n" + table.render(figures, colour=sys.stdout.isatty()))
    return int(asked.check and any(figure.met is False for figure in figures))


class MeasureError(Exception):
    """A measure did not come to its end; the text has what it wrote."""


def say(text: str) -> None:
    """Print how far it is."""
    print(f"bench: {time.monotonic() - BEGUN:4.0f} s  {text}", flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.bench",
        description="Measure OPMAS, as its Debian packages, on a lab host of its own, as root."
        " Takes about 15 minutes on 2 cores.",
        epilog="What the figures mean: docs/explanation/performance.md",
    )
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, metavar="NAME", default=list(MEASURES),
        help=f"measure only these: {', '.join(MEASURES)}",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there, too")
    parser.add_argument(
        "--agents", type=_size, metavar="N", default=500,
        help="how many agents the larger measures have, the largest twice as many"
        " (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    return parser.parse_args(argv)


def _size(text: str) -> int:
    size = int(text)
    if not 1 <= size <= 2000:
        raise argparse.ArgumentTypeError("must be 1 to 2000")
    return size


def _measure(asked: argparse.Namespace) -> Iterator[Figure]:
    say("building and installing the packages on a lab host")
    build("--reuse")
    with Host.up("bench") as host:
        install(host, BUILD.parents[1] / "dist")
        python_path = _prepare(host)
        few = min(100, asked.agents)
        yield from _run(
            host, f"PYTHONPATH={python_path}", "python3", "-m", "tests.bench.inside",
            f"--few={few}", f"--many={asked.agents}", f"--most={2 * asked.agents}", *asked.only,
        )  # fmt: skip


def _prepare(host: Host) -> str:
    """Give the host the measures and their agent; return where modules are found there."""
    host.copy_in(HERE, f"{CODE}/tests/bench")
    host.copy_in(HERE / "agents", AGENTS)
    host.run("chmod", "-R", "a+rX", CODE, AGENTS)
    settings = f"manager:\n  packages_path: [/usr/lib/opmas/agents, {AGENTS}]\n"
    host.run("sh", "-c", "cat > /etc/opmas/opmas.yaml", input=settings)
    # it is killed again and again here: that is the measure, and no crash loop
    limit = "[Unit]\nStartLimitIntervalSec=0\n"
    host.run("install", "-D", "/dev/stdin", MANAGER_DROP_IN, input=limit)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "opmas-manager")
    tree = host.run("sh", "-c", "dirname /usr/lib/opmas/*/opmas").stdout.strip()
    return f"{tree}:{CODE}"


def _run(host: Host, *command: str) -> Iterator[Figure]:
    with host.popen("env", *command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                message: dict[str, Any] = json.loads(line)
                if "say" in message:
                    say(message["say"])
                else:
                    yield read_figure(message["figure"])
            complaint = process.stderr.read()
        finally:
            if process.poll() is None and sys.exception() is not None:
                process.kill()
    if process.returncode:
        raise MeasureError(complaint.strip() or f"exit code {process.returncode}")


def _write(path: Path, machine: dict[str, Any], figures: Sequence[Figure]) -> None:
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [figure.document() for figure in figures],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
