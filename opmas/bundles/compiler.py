"""Compiles Python files, as a program of its own: `python3 -I -S compiler.py STAGING FINAL`.

It reads the files' paths below STAGING from its standard input, each ended by a NUL, and writes a
line for each that is done. It imports nothing of OPMAS and gets nothing of the worker's memory:
what a package's code can do to the compiler ends here. A file that does not compile stays as it
is, as in pip: wheels carry templates and code for other versions of Python.

The .pyc are not held against their sources at each import (PEP 552, unchecked): nobody writes to
an installed version, and a copy of it with other times of modification starts as quickly.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import resource
import sys
import warnings

# Bytes of address space: enough for a file of 1.5 MB (46 bytes for each byte, on Python 3.11), and
# two compilers and the worker stay below the 192 MiB of opmas-package@.service.
MEMORY = 80 * 1024 * 1024
SECONDS = 300  # of processor time


def main() -> int:
    """Compile, and say so file by file."""
    staging, final = sys.argv[1:]
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    warnings.simplefilter("ignore")
    paths = sys.stdin.buffer.read().split(b"\0")
    for path in filter(None, paths):
        _compile(os.path.join(staging, os.fsdecode(path)), staging, final)  # noqa: PTH118
        sys.stdout.write("\n")
        sys.stdout.flush()
    return 0


def _compile(path: str, staging: str, final: str) -> None:
    try:
        compileall.compile_file(
            path,
            force=True,
            quiet=2,
            stripdir=staging,
            prependdir=final,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (RecursionError, MemoryError, ValueError, OSError):
        return


if __name__ == "__main__":
    sys.exit(main())
