"""What dpkg prints, as the guard reads it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from opmas.rescue.dpkg import Package, parse_packages
from opmas.rescue.repack import split_stanza

if TYPE_CHECKING:
    from pathlib import Path

STANZA = """\
Package: opmas-manager
Status: install ok installed
Version: 0.3.0
Architecture: all
Conffiles:
 /etc/opmas/opmas.yaml 0123456789abcdef0123456789abcdef
 /etc/opmas/old.yaml fedcba9876543210fedcba9876543210 obsolete
Description: systemd-native management
 A longer text, with a line
 .
 and another.
Config-Version: 0.3.0

"""


def test_what_dpkg_added_to_the_control_file_is_taken_out() -> None:
    control, conffiles = split_stanza(STANZA)

    assert control == (
        "Package: opmas-manager\nVersion: 0.3.0\nArchitecture: all\n"
        "Description: systemd-native management\n A longer text, with a line\n .\n and another.\n"
    )
    assert conffiles == {"/etc/opmas/opmas.yaml": "0123456789abcdef0123456789abcdef"}


def test_a_package_that_dpkg_does_not_know_has_no_control_file() -> None:
    assert split_stanza("") == ("", {})


def test_only_installed_packages_of_the_source_are_ours() -> None:
    text = (
        "opmas-manager\t0.3.0\tall\tinstalled\topmas\n"
        "opmas-api\t0.3.0\tall\tconfig-files\topmas\n"
        "opmas-agent-x\t1.0\tall\tinstalled\tother\n"
        "python3-opmas-agent\t0.3.0\tall\tunpacked\topmas\n"
        "strange\n"
    )

    assert parse_packages(text) == {
        "opmas-manager": Package("opmas-manager", "0.3.0", "all", "installed"),
        "python3-opmas-agent": Package("python3-opmas-agent", "0.3.0", "all", "unpacked"),
    }


CALLS_DPKG = """
import sys
from opmas.rescue import dpkg
dpkg.DPKG = sys.argv[1]
dpkg.run("--install", "x.deb")
"""


def test_a_dpkg_that_runs_is_let_finish_before_the_guard_ends(tmp_path: Path) -> None:
    for fifo in ("begun", "go"):
        os.mkfifo(tmp_path / fifo)
    slow = tmp_path / "dpkg"
    slow.write_text("#!/bin/sh\ncd ${0%/*}\necho > begun\nread line < go\ntouch done\n")
    slow.chmod(0o755)
    guard = subprocess.Popen([sys.executable, "-c", CALLS_DPKG, str(slow)])

    (tmp_path / "begun").read_text()
    guard.send_signal(signal.SIGTERM)
    (tmp_path / "go").write_text("\n")

    assert guard.wait(30) == -signal.SIGTERM
    assert (tmp_path / "done").exists()
