"""Run the rescue, as opmas-rescue.service."""

from __future__ import annotations

import os
import sys

from opmas.rescue.loop import BOOT_ID, Clock, Rescue
from opmas.rescue.places import find_places
from opmas.rescue.systemd import Systemd


def main() -> int:
    """Run until the manager is back."""
    boot_id = BOOT_ID.read_text(encoding="ascii").strip()
    Rescue(find_places(os.environ), Systemd(), Clock(), boot_id).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
