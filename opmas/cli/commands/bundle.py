"""The commands `opmas bundle …` and `opmas key …`: of authors, and of whom a host trusts."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import Command, Group, operand, option

BUNDLE_GROUP: Final = Group(
    "bundle",
    "check, build and inspect bundles",
    "A bundle, NAME-VERSION.opmas, is an agent package that is ready to be installed: its code "
    "and all that it depends on as wheels, listed with their digests and signed. These commands "
    "need neither root nor the manager.",
)
KEY_GROUP: Final = Group(
    "key",
    "make and trust the keys of bundles",
    "Bundles are signed with Ed25519 keys in the format of minisign. `key new` makes one for an "
    "author; the others say whose bundles this host installs.",
)

DIRECTORY: Final = operand(
    "directory",
    text="the package's directory, which holds agent.yaml",
    metavar="DIR",
    completes="directories",
)
FILE: Final = operand("file", text="the bundle", metavar="FILE", completes="files")
OUTPUT: Final = option(
    "--output",
    text="where to write it (default: the current directory)",
    metavar="DIR",
    completes="directories",
)
PASSWORD_FILE: Final = option(
    "--password-file",
    text="read the key's password from this file; - is standard input",
    metavar="FILE",
    completes="files",
)
SIGNING: Final = (
    option(
        "--key",
        text="sign with this secret key (default: ~/.config/opmas/keys/default.key)",
        metavar="FILE",
        completes="files",
    ),
    PASSWORD_FILE,
    option("--unsigned", text="do not sign it; few hosts install it then", action="store_true"),
    option(
        "--wheels",
        text="take the wheels that it depends on from here",
        metavar="DIR",
        completes="directories",
    ),
    option("--fetch", text="let pip download what is missing", action="store_true"),
)

BUNDLES: Final[tuple[Command, ...]] = (
    Command(
        ("bundle", "check"),
        "check a package's directory",
        "Says everything that keeps a bundle from being built, each with its place. Exit code 1 "
        "says that there is something.",
        (("opmas bundle check web/", "before building it"),),
        "bundles:check_directory",
        (DIRECTORY,),
        "opmas.bundle-check/v1",
    ),
    Command(
        ("bundle", "build"),
        "build a bundle",
        "Builds NAME-VERSION.opmas from a package's directory, signs it and prints its path. The "
        "same directory gives the same bytes, whenever and wherever it is built.",
        (
            ("opmas bundle build web/", "into the current directory"),
            ("opmas bundle build web/ --wheels wheels/ --output dist/", "without network"),
            ("opmas bundle build web/ --unsigned", "to try it on a host that allows this"),
        ),
        "bundles:build_bundle",
        (DIRECTORY, OUTPUT, *SIGNING),
        "opmas.bundle-file/v1",
    ),
    Command(
        ("bundle", "deb"),
        "build a Debian package that carries a bundle",
        "Builds opmas-agent-NAME_VERSION_all.deb from a bundle, or from a package's directory, "
        "and prints its path. On a host apt installs it, the manager notices, and the bundle in "
        "it is verified like any other.",
        (
            ("opmas bundle deb web-1.0.0.opmas", "for an apt repository"),
            ("opmas bundle deb web/ --output dist/", "bundle and Debian package in one"),
        ),
        "bundles:build_deb",
        (
            operand(
                "source",
                text="a bundle, or a package's directory",
                metavar="FILE|DIR",
                completes="files",
            ),
            OUTPUT,
            *SIGNING,
        ),
        "opmas.bundle-file/v1",
    ),
    Command(
        ("bundle", "inspect"),
        "show what is in a bundle",
        "Verifies the bundle against its own manifest, then shows the package, its files and "
        "who signed it, also when this host would refuse it.",
        (("opmas bundle inspect web-1.0.0.opmas", "before trusting its key"),),
        "bundles:inspect_bundle",
        (FILE,),
        "opmas.bundle/v1",
    ),
    Command(
        ("bundle", "verify"),
        "verify who signed a bundle, and every byte of it",
        "Ends with 0 when a key that this host trusts signed the bundle and every byte is as it "
        "was signed; else it says which of that is not so.",
        (("opmas bundle verify web-1.0.0.opmas && echo fine", "in a script"),),
        "bundles:verify_bundle",
        (FILE,),
        "opmas.bundle/v1",
    ),
)

KEYS: Final[tuple[Command, ...]] = (
    Command(
        ("key", "new"),
        "make a key to sign bundles with",
        "Writes a secret key that only you can read, and its public key beside it with the ending "
        ".pub. The secret key is never printed. Give the public key to the hosts: `opmas key "
        "trust`.",
        (
            ("opmas key new", "as ~/.config/opmas/keys/default.key"),
            ("opmas key new --output release.key --password", "encrypted, elsewhere"),
        ),
        "keys:make_key",
        (
            option(
                "--output",
                text="the file of the secret key (default: ~/.config/opmas/keys/default.key)",
                metavar="FILE",
                completes="files",
            ),
            option(
                "--password",
                text="encrypt it; the password is asked for on the terminal",
                action="store_true",
            ),
            option(
                "--password-file",
                text="encrypt it with the password in this file; - is standard input",
                metavar="FILE",
                completes="files",
            ),
        ),
        "opmas.key-created/v1",
    ),
    Command(
        ("key", "trust"),
        "trust a public key on this host",
        "Lets this host install bundles that were signed with the key. Needs root: whoever may "
        "say whom a host trusts decides what runs on it.",
        (
            ("sudo opmas key trust acme.pub", "all bundles of acme"),
            (
                "sudo opmas key trust acme.pub --package 'acme-*' --valid-until 2027-12-31",
                "some of them, for some time",
            ),
        ),
        "keys:trust_key",
        (
            operand("file", text="the public key", metavar="FILE", completes="files"),
            option("--name", text="know it by this name (default: the file's)", metavar="NAME"),
            option("--valid-until", text="its last day, such as 2027-12-31", metavar="DATE"),
            option(
                "--package",
                text="only for packages like this, such as 'acme-*' (may be repeated)",
                metavar="PATTERN",
                dest="packages",
                action="append",
            ),
        ),
        "opmas.key/v1",
    ),
    Command(
        ("key", "list"),
        "list the keys that this host trusts",
        "The keys with their conditions, and those that were revoked.",
        (("opmas key list", "whose bundles are installed here"),),
        "keys:list_keys",
        (),
        "opmas.key-list/v1",
    ),
    Command(
        ("key", "revoke"),
        "stop trusting a key",
        "Nothing that was signed with the key is installed any more; what is installed goes on. "
        "It stays in the list as revoked. Needs root.",
        (("sudo opmas key revoke acme --reason 'laptop stolen'", "at once"),),
        "keys:revoke_key",
        (
            operand("key", text="its name or id", metavar="KEY"),
            option("--reason", text="why, for those who ask later", metavar="TEXT"),
        ),
        "opmas.key/v1",
    ),
)
