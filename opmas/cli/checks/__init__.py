"""The checks of `opmas doctor`, one file for each part of a host. Each only looks."""
