"""What dpkg prints, as the guard reads it."""

from __future__ import annotations

from opmas.rescue.dpkg import Package, parse_packages
from opmas.rescue.repack import split_stanza

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
