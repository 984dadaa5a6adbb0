"""Tests that are coroutines."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
LONGEST = 60.0  # seconds: what takes longer hangs


def in_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run the test in an event loop of its own; a task that it leaves behind fails it."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(_whole(test(*args, **kwargs)))

    return run


async def _whole(test: Coroutine[None, None, None]) -> None:
    async with asyncio.timeout(LONGEST):
        await test
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks still running: {left}"
