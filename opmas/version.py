"""The version of OPMAS: one line, read by the packages, the CLI and the API."""

VERSION = "0.3.0"
