"""What a manager that is back tells of the time without it: a rescue, an upgrade that was undone.

Once it is up for a while it has systemd forget its starts, so that only starts without an end of
that length are a crash loop; and it writes down which agents do well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Final

from opmas.errors import SystemdError
from opmas.rescue.documents import read_document, write_document
from opmas.rescue.judge import STEADY
from opmas.rescue.places import MANAGER, RESULT_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opmas.manager.lastgood import LastGood
    from opmas.manager.problems import Problems
    from opmas.manager.state.writer import Writer
    from opmas.ports import Units
    from opmas.rescue.places import Places

logger = logging.getLogger(__name__)

PERIOD: Final = 15.0  # seconds between two looks
STOPS_WITHIN: Final = 1.0  # seconds; systemd may be away, and the stop may not wait for it


class Comeback:
    """Looks for what the rescue and the guard left, and keeps what they need."""

    def __init__(
        self, places: Places, writer: Writer, units: Units, problems: Problems, lastgood: LastGood
    ) -> None:
        self._places = places
        self._writer = writer
        self._units = units
        self._problems = problems
        self._lastgood = lastgood

    async def stopped(self) -> None:
        """Have an orderly stop not count for a crash loop, however often it follows a start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN):
                await self._forget_starts()

    async def run(self) -> None:
        """Look until cancelled."""
        up = 0.0
        self._tell_reverted()
        while True:
            await asyncio.sleep(PERIOD)
            up += PERIOD
            self._lastgood.look()
            self._tell_reverted()
            if up >= STEADY:
                self._tell_rescued()
            if STEADY <= up < STEADY + PERIOD:
                await self._forget_starts()

    def _tell_rescued(self) -> None:
        """Say that there was a rescue, and take its report away."""
        report = read_document(self._places.report)
        if report is None:
            return
        data = {key: report.get(key) for key in ("since", "why", "message", "started", "attempts")}
        self._writer.announce("opmas.manager.rescued", "manager", data)
        _remove(self._places.report)

    def _tell_reverted(self) -> None:
        """Say that the last upgrade was undone, as long as its result lies there."""
        path = self._places.guard / RESULT_FILE
        result = read_document(path)
        if result is None:
            self._problems.clear("upgrade-reverted")
            return
        message = str(result.get("message", "the last upgrade was undone"))
        self._problems.report("upgrade-reverted", message)
        if not result.get("told"):
            data = {key: result.get(key) for key in ("from", "to", "reason", "outcome")}
            self._writer.announce("opmas.manager.upgrade-reverted", "manager", data)
            with contextlib.suppress(OSError):
                write_document(path, {**result, "told": True})

    async def _forget_starts(self) -> None:
        if not is_service(os.environ, os.getpid()):
            return
        try:
            await self._units.reset_failed(MANAGER)
        except SystemdError as error:
            logger.info("systemd still counts the starts of %s: %s", MANAGER, error.message)


def is_service(environ: Mapping[str, str], pid: int) -> bool:
    """Return whether this process is the one that systemd started."""
    return environ.get("SYSTEMD_EXEC_PID") == str(pid)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("cannot remove %s: %s", path, error.strerror)
