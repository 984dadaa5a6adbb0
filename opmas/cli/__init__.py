"""The command `opmas`."""
