"""What helps when the manager does not: the rescue, and the guard of its upgrades.

Nothing here imports anything of OPMAS outside of this package, nor anything but the standard
library: it has to work when the rest does not, and the guard runs from a copy of this directory.
"""
