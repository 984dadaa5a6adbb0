"""Programs that stand for the bridge, well-behaved and not."""

from __future__ import annotations

import sys

_BEGIN = """
import json, os, sys, time
def say(**message): print(json.dumps(message), flush=True)
def hear(): return json.loads(sys.stdin.readline() or "null")
say(event="resynced", states=[], version="252", connection="private")
"""


def program(body: str) -> list[str]:
    """Return the command of a bridge that has begun and then does this."""
    return [sys.executable, "-c", _BEGIN + body]


OBEDIENT = program("""
while request := hear():
    say(id=request["id"], result=7)
    say(event="job", unit=request["unit"], job_id=7, result="done")
""")
REFUSING = program("""
while request := hear():
    say(id=request["id"], reason="masked", message="Unit is masked")
""")
DYING = program("hear()")
DEAF = program("time.sleep(60)")
SLOW = program("""
while request := hear():
    time.sleep(0.15)
    say(id=request["id"], result=7)
""")
MAD = program("hear(); print('{nonsense'); sys.stdout.flush(); time.sleep(60)")
TALKATIVE = program("""
for number in range(30000):
    say(event="gone", unit="opmas-agent@web.service")
while request := hear():
    say(event="resynced", states=[], version="253", connection="bus")
    say(id=request["id"], result=None)
""")
CURIOUS = program("""
names = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
say(event="disconnected", reason=f"knows {len(names)}")
hear()
""")
