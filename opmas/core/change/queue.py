"""How many changes may wait. Each turn looks at all of them, and they are kept over a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.change.ledger import under_way
from opmas.errors import BackendError

if TYPE_CHECKING:
    from opmas.core.roster import Roster

MOST: Final = 1500  # one for each of a thousand agents, and room for what is done beside that
MOST_OF_ONE: Final = 50  # of one agent or package


def check_room(roster: Roster, subject: str) -> None:
    """Raise `BackendError` when so many changes have not ended that one more has to wait."""
    open_ones = list(under_way(roster))
    of_one = sum(change.subject == subject for change in open_ones)
    if len(open_ones) < MOST and of_one < MOST_OF_ONE:
        return
    which, count = (subject, of_one) if of_one >= MOST_OF_ONE else ("this host", len(open_ones))
    raise BackendError(
        f"cannot take one more change of {subject}: {count} of {which} have not ended yet: "
        "try again when some have (`opmas change list --active`)"
    )
