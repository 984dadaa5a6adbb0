"""Whatever text is in whatever field: a unit says exactly what was meant, or is refused."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from opmas.core.agent.terms import AgentSpec
from opmas.core.package.capability import CAPABILITIES
from opmas.core.package.manifest import HealthCheck, Manifest, Network, Sandbox
from opmas.core.package.needs import needs_of
from opmas.core.package.program import Hooks
from opmas.core.unit.file import (
    Place,
    agent_command,
    render_dropin,
    render_hook_dropin,
    render_probe_dropin,
)
from opmas.core.unit.syntax import KINDS, parse_unit
from opmas.errors import InvalidError
from tests.unit.core.manifests import PLACE, exec_manifest, python_manifest

UNITS = Path(__file__).parents[2] / "units"
SMUGGLED = [
    "\n[Service]\nUser=root",
    "\\\nUser=root",
    "\r\nExecStartPre=/bin/x",
    "x\\",
    "%i %% %n",
    "$HOME ${HOME} $$",
    "\"a\" 'b'",
    "; /bin/second",
    "+/bin/x",
    "!!/bin/x",
    "\u2028User=root",
    "\x85User=root",
    "#c",
    " lead",
    "trail ",
    "\ufeff",
    "",
]
raw = st.one_of(st.sampled_from(SMUGGLED), st.text(max_size=20))
# what a unit file can hold, of all that means something to systemd
printable = st.text("\\\"'%$;:#-+@!| =[]{}abc/\u00e9\u20ac", max_size=12)
mountable = st.text("%$;#-+@!| =[]{}abc/\u00e9\u20ac", max_size=12)
printable_path = mountable.map("/srv/{}".format) | mountable.map("/home/{}".format)
FIELDS = ["name", "version", "summary", "entry", "program", "argument", "path", "group", "place"]


@st.composite
def agents(draw: st.DrawFn) -> tuple[Manifest, Place]:
    """A manifest and a place as if nothing had checked them; at most one field is any text."""
    worst = draw(st.sampled_from([None, *FIELDS]))

    def one(name: str, strategy: st.SearchStrategy[str]) -> str:
        return draw(raw if name == worst else strategy)

    def some(name: str, strategy: st.SearchStrategy[str]) -> tuple[str, ...]:
        return tuple(one(name, strategy) for _ in range(draw(st.integers(0, 2))))

    manifest = draw(st.sampled_from([python_manifest(), exec_manifest()]))
    program = one("program", printable_path)
    manifest = replace(
        manifest,
        name=one("name", printable),
        version=one("version", printable),
        summary=one("summary", printable),
        entry=one("entry", printable),
        command=(program, *some("argument", printable)),
        sandbox=Sandbox(
            network=draw(st.sampled_from(Network)),
            read=some("path", printable_path),
            write=some("path", printable_path),
            groups=some("group", printable),
        ),
        health_check=HealthCheck(command=(program, *some("argument", printable))),
        hooks=Hooks(
            check=(program, *some("argument", printable)),
            migrate=(program, *some("argument", printable)),
            pre_stop=(program, *some("argument", printable)),
        ),
        requires=("db", "cache"),
    )
    place = Place(
        package_dir=one("place", printable_path),
        credential_path=one("place", printable_path.map("{}.json".format)),
        pythonpath=draw(st.none() | printable_path),
    )
    return manifest, place


def spec_for(manifest: Manifest) -> AgentSpec:
    grants = tuple(need.name for need in needs_of(manifest))
    return AgentSpec("web", "pinger", grants=grants, after=("db",))


def keys_of(written: str) -> list[str]:
    """The keys as a reader sees them who knows nothing of OPMAS: one for each line."""
    lines = [line for line in written.split("\n") if line and not line.startswith("#")]
    return [line.split("=")[0] for line in lines if line not in {"[Unit]", "[Service]"}]


@settings(max_examples=500, deadline=None)
@given(agent=agents())
def test_a_drop_in_says_exactly_what_was_meant_or_is_refused(
    agent: tuple[Manifest, Place],
) -> None:
    manifest, place = agent
    try:
        written = render_dropin(spec_for(manifest), manifest, place)
    except InvalidError:
        return

    found = parse_unit(written)
    assert [each.key for each in found] == keys_of(written)
    assert set(keys_of(written)) <= set(KINDS)
    values = {each.key: each.values for each in found}
    title = f"OPMAS agent web: {manifest.summary} ({manifest.name} {manifest.version})"
    assert values["Description"] == (title,)
    assert values["User"] == ("_opmas-web",)
    check, pre_stop = manifest.hooks.check, manifest.hooks.pre_stop
    assert values["ExecStartPre"] == check
    assert values["ExecStop"] == (f"-{pre_stop[0]}", *pre_stop[1:])
    assert values["BindsTo"] == ("opmas-agent@db.service", "opmas-agent@cache.service")
    config = next(each for each in found if each.target)
    assert (config.key, config.values) == ("BindReadOnlyPaths", (place.credential_path,))
    assert config.target == "/run/opmas-credentials/config.json"
    assert values["ExecStart"] == agent_command(manifest, place)
    assert values.get("SupplementaryGroups", ()) == tuple(dict.fromkeys(manifest.sandbox.groups))
    written_paths = [
        each.values[0] for each in found if each.key in {"ReadWritePaths", "BindPaths"}
    ]
    assert written_paths == [f"-{each}" for each in dict.fromkeys(manifest.sandbox.write)]


@settings(max_examples=300, deadline=None)
@given(agent=agents())
def test_a_health_check_s_drop_in_says_exactly_what_was_meant_or_is_refused(
    agent: tuple[Manifest, Place],
) -> None:
    manifest, place = agent
    try:
        written = render_probe_dropin(spec_for(manifest), manifest, place)
    except InvalidError:
        return

    found = parse_unit(written)
    assert [each.key for each in found] == keys_of(written)
    assert manifest.health_check is not None
    commands = [each.values for each in found if each.key == "ExecStart"]
    assert commands == [(), manifest.health_check.command]


@settings(max_examples=300, deadline=None)
@given(agent=agents(), before=st.one_of(raw, printable))
def test_a_migration_s_drop_in_says_exactly_what_was_meant_or_is_refused(
    agent: tuple[Manifest, Place], before: str
) -> None:
    manifest, place = agent
    try:
        written = render_hook_dropin(spec_for(manifest), manifest, place, before, "2.0")
    except InvalidError:
        return

    found = parse_unit(written)
    assert [each.key for each in found] == keys_of(written)
    commands = [each.values for each in found if each.key == "ExecStart"]
    assert commands == [(), manifest.hooks.migrate]
    variables = [each.values for each in found if each.key == "Environment"]
    assert (f"OPMAS_FROM_VERSION={before}",) in variables


documents = st.fixed_dictionaries(
    {
        "summary": printable.map("x{}".format),
        "command": st.lists(printable, max_size=3).map(lambda words: ["/bin/true", *words]),
        "sandbox": st.fixed_dictionaries(
            {
                "network": st.sampled_from(["none", "observe", "loopback", "full"]),
                "proc": st.sampled_from(["own", "host"]),
                "bus": st.booleans(),
                "read": st.lists(printable_path, max_size=2),
                "write": st.lists(printable_path, max_size=2),
                "capabilities": st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=3),
                "groups": st.lists(st.sampled_from(["adm", "root"]), max_size=2),
            }
        ),
        "limits": st.fixed_dictionaries({"cpu_quota": st.integers(1, 400)}),
        "recovery": st.fixed_dictionaries(
            {"give_up_on": st.lists(st.integers(1, 255), max_size=3)}
        ),
        "health_check": st.fixed_dictionaries(
            {"command": st.lists(printable, max_size=3).map(lambda words: ["/bin/true", *words])}
        ),
        "hooks": st.fixed_dictionaries(
            dict.fromkeys(
                ("check", "migrate", "pre_stop"),
                st.lists(printable, max_size=3).map(lambda words: ["/bin/true", *words]),
            )
        ),
        "requires": st.lists(st.sampled_from(["db", "cache"]), unique=True),
    }
)


# no shrinking: each step is a run of systemd-analyze, and its output names the unit
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(many=st.lists(documents, min_size=30, max_size=60))
def test_systemd_has_nothing_to_say_about_any_unit_that_is_rendered(
    many: list[dict[str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = write_units(Path(folder), many)
        assume(names)

        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *names],
            cwd=folder,
            env={"SYSTEMD_UNIT_PATH": f"{folder}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert said.stdout + said.stderr == ""


def write_units(folder: Path, many: list[dict[str, Any]]) -> list[str]:
    """The units of those manifests that are accepted, as files; their names."""
    for unit in UNITS.glob("opmas*"):
        shutil.copy(unit, folder)
    names = []
    for number, document in enumerate(many):
        try:
            manifest = exec_manifest(**document)
        except InvalidError:
            continue
        spec = replace(spec_for(manifest), name=f"a{number}")
        texts = {
            f"opmas-agent@a{number}.service": render_dropin(spec, manifest, PLACE),
            f"opmas-probe@a{number}.service": render_probe_dropin(spec, manifest, PLACE),
            f"opmas-hook@a{number}.service": render_hook_dropin(
                spec, manifest, PLACE, "1.0", "2.0"
            ),
        }
        for name, written in texts.items():
            (folder / name).symlink_to(f"{name.partition('@')[0]}@.service")
            (folder / f"{name}.d").mkdir()
            (folder / f"{name}.d" / "50-opmas.conf").write_text(written)
            names.append(name)
    return names
