"""An agent as systemd sees it: the drop-ins of its unit, its health check and its migration.

The drop-in says only what is the agent's own: its program, its limits, its timeouts, and the
parts of the sandbox that its package asks for *and* an admin granted. All else is in the
templates opmas-agent@.service, opmas-probe@.service and opmas-hook@.service in units.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import AgentSpec, Limits, check_name, hook_unit, probe_unit, unit_name
from opmas.core.package.capability import OPENED
from opmas.core.package.manifest import HealthCheck, Manifest, Runtime
from opmas.core.package.needs import granted_sandbox
from opmas.core.package.program import is_function
from opmas.core.package.sandbox import Network, Proc, Sandbox
from opmas.core.recovery.policy import DEFAULT_POLICY, Policy, effective_policy
from opmas.core.resources.limits import NO_HOST_LIMITS, HostLimits, effective_limits
from opmas.core.unit.syntax import Setting, render_unit
from opmas.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What ProtectHome=yes hides (systemd.exec(5)).
HOMES: Final = ("/home/", "/root/", "/run/user/")
TEMPORARY: Final = ("/tmp/", "/var/tmp/")  # noqa: S108 - the names of what PrivateTmp=yes hides
# Where an agent sees its own configuration, as if it were systemd's credential. LoadCredential=
# makes a mount on the host for each running agent, and each start looks through all of these: with
# 100 agents a start took 0.21 s of CPU time instead of 0.08 s, and more with each.
CREDENTIALS: Final = "/run/opmas-credentials"
GROWING_RESTARTS: Final = 254  # the first systemd with RestartSteps=
USER_LENGTH: Final = 31  # of a user's name, systemd's strict rule

# The host's mounts too: an agent's own table has everything read-only, and homes that are empty.
HOST_FIGURES: Final = "/run/opmas-host"
_FAMILIES: Final = {
    Network.NONE: (),
    Network.OBSERVE: ("AF_NETLINK",),
    Network.LOOPBACK: ("AF_NETLINK", "AF_INET", "AF_INET6"),
    Network.FULL: ("AF_NETLINK", "AF_INET", "AF_INET6"),
}


Line = tuple[str, tuple[str, ...]] | tuple[str, tuple[str, ...], str]
Lines = list[Line]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the agent's package, its credential and its interpreter are on this host.

    The credential is STATE/agents/NAME/config.json; a package below STATE, which is root's alone,
    is shown to the agent where it is. `limits` and `policy` are those of the host. `systemd` is
    its version, 0 while nobody knows: then only what 252 knows is written.
    """

    package_dir: str
    credential_path: str
    python: str = "/usr/bin/python3"
    pythonpath: str | None = None
    limits: HostLimits = NO_HOST_LIMITS
    policy: Policy = DEFAULT_POLICY
    systemd: int = 0

    @property
    def state_dir(self) -> str:
        """The manager's state directory, with a "/" at its end."""
        return self.credential_path.rsplit("/", 3)[0] + "/"


def render_dropin(spec: AgentSpec, manifest: Manifest, place: Place) -> str:
    """Return the text of the drop-in of the agent's unit, or raise `InvalidError`."""
    name = check_name(spec.name)
    timeouts = manifest.timeouts
    service: Lines = [
        ("Type", (str(manifest.service),)),
        ("User", (user_name(name),)),
        *_hook("ExecStartPre", manifest.hooks.check, place),
        ("ExecStart", ()),
        ("ExecStart", agent_command(manifest, place)),
        *_hook("ExecStop", manifest.hooks.pre_stop, place, ignored="-"),
        *_credential(place),
        *_python_path(manifest, place),
        *_limits(effective_limits(spec, manifest, place.limits)),
        ("TimeoutStartSec", (str(timeouts.start),)),
        ("TimeoutStopSec", (str(timeouts.stop),)),
        ("WatchdogSec", (str(timeouts.watchdog),)),
        *_restarts(effective_policy(place.policy, manifest.recovery, spec.recovery), place),
        *_widenings(spec, manifest, place),
    ]
    unit: Lines = [("Description", (_description(name, manifest),)), *_neighbours(spec, manifest)]
    return _rendered(unit_name(name), service, unit)


def render_hook_dropin(
    spec: AgentSpec, manifest: Manifest, place: Place, from_version: str, to_version: str
) -> str:
    """Return the text of the drop-in of the agent's migration, which the manifest has.

    It has the limits, the sandbox and the configuration of the agent, and knows both versions.
    """
    name = check_name(spec.name)
    if not manifest.hooks.migrate:
        raise InvalidError(f'cannot render a migration: package "{manifest.name}" has none')
    service: Lines = [
        ("User", (user_name(name),)),
        ("ExecStart", ()),
        *_hook("ExecStart", manifest.hooks.migrate, place),
        *_credential(place),
        ("Environment", (f"OPMAS_FROM_VERSION={from_version}",)),
        ("Environment", (f"OPMAS_TO_VERSION={to_version}",)),
        *_python_path(manifest, place),
        *_limits(effective_limits(spec, manifest, place.limits)),
        ("TimeoutStartSec", (str(manifest.timeouts.migrate),)),
        *_widenings(spec, manifest, place),
    ]
    return _rendered(hook_unit(name), service)


def render_probe_dropin(spec: AgentSpec, manifest: Manifest, place: Place) -> str:
    """Return the text of the drop-in of the agent's health check, which the manifest has."""
    name = check_name(spec.name)
    check = manifest.health_check
    if check is None:
        raise InvalidError(f'cannot render a health check: package "{manifest.name}" has none')
    # our own probe keeps the time itself and says what was late; a second for the interpreter
    timeout = check.timeout + int(not check.command)
    service: Lines = [
        ("User", (user_name(name),)),
        ("ExecStart", ()),
        ("ExecStart", _probe_command(check, place)),
        *([] if check.command else _environment(place)),
        ("TimeoutStartSec", (str(timeout),)),
        *_widenings(spec, manifest, place),
    ]
    return _rendered(probe_unit(name), service)


def _probe_command(check: HealthCheck, place: Place) -> tuple[str, ...]:
    if check.command:
        return _program(check.command, place)
    kind, target = ("http", check.http) if check.http else ("tcp", check.tcp)
    probe = (place.python, "-sP", "-m", "opmas.agent.probe")
    return _program((*probe, kind, target, str(check.timeout)), place)


def user_name(agent: str) -> str:
    """Return the user as which the agent and its health check run, made by systemd.

    Without a name of its own each of the two units would get another user, and neither could
    read the other's files.
    """
    name = f"_opmas-{agent}"
    if len(name) <= USER_LENGTH:
        return name
    mark = hashlib.sha256(agent.encode()).hexdigest()[:8]
    return f"{name[: USER_LENGTH - 9]}-{mark}"


def agent_command(manifest: Manifest, place: Place) -> tuple[str, ...]:
    """Return the program of the agent and its arguments."""
    if manifest.runtime is Runtime.EXEC:
        return _program(manifest.command, place)
    # -s -P: neither the user's site directory nor the working directory is imported from
    sdk = (place.python, "-sP", "-m", "opmas.agent")
    return _program((*sdk, "--path", place.package_dir, manifest.entry), place)


def _program(command: tuple[str, ...], place: Place) -> tuple[str, ...]:
    program = command[0] if command else ""
    if program.startswith("./"):
        program = f"{place.package_dir}/{program[2:]}"
    # after "/" none of systemd's prefixes (@ - : + !) is one; "$" is a variable in argv[0] only
    if not program.startswith("/") or "$" in program:
        raise InvalidError(f'cannot run "{program}": it is not the absolute path of a program')
    return (program, *command[1:])


def _rendered(unit: str, service: Lines, section: Lines | None = None) -> str:
    settings = [Setting("Unit", *each) for each in section or ()]
    settings += [Setting("Service", *each) for each in service]
    return render_unit(_header(unit), settings)


def _header(unit: str) -> str:
    return (
        f"Written by opmas-manager for {unit}: it is replaced at every change.\n"
        "Change the agent with opmas(1). To override a setting of systemd, add a drop-in:\n"
        f"systemctl edit {unit}"
    )


def _description(name: str, manifest: Manifest) -> str:
    return f"OPMAS agent {name}: {manifest.summary} ({manifest.name} {manifest.version})"


def _neighbours(spec: AgentSpec, manifest: Manifest) -> Iterator[Line]:
    """Yield what ties the agent to others.

    No Wants=: each restart of a crashed agent would start what it wants, also when an admin
    stopped that. The manager starts what is wanted; here it is only waited for.
    """
    ordered = (*manifest.requires, *manifest.wants, *manifest.after, *spec.after)
    for key, agents in (("BindsTo", manifest.requires), ("After", ordered)):
        # a package may name the agent that happens to be this one: no unit depends on itself
        others = [check_name(each) for each in dict.fromkeys(agents) if each != spec.name]
        if others:
            yield key, tuple(map(unit_name, others))


def _hook(key: str, command: tuple[str, ...], place: Place, ignored: str = "") -> Lines:
    """Return the line of the hook; `ignored` is systemd's mark that its failure is none."""
    if not command:
        return []
    if is_function(command):
        sdk = (place.python, "-sP", "-m", "opmas.agent.hook")
        command = (*sdk, "--path", place.package_dir, *command)
    program, *arguments = _program(command, place)
    return [(key, (f"{ignored}{program}", *arguments))]


def _credential(place: Place) -> Lines:
    return [
        ("Environment", (f"CREDENTIALS_DIRECTORY={CREDENTIALS}",)),
        ("BindReadOnlyPaths", (place.credential_path,), f"{CREDENTIALS}/config.json"),
    ]


def _restarts(policy: Policy, place: Place) -> Iterator[Line]:
    """Yield what systemd's own restarts are told beyond the template.

    Where it can, systemd lets the pause grow from the template's 100 ms. All of them together take
    a few seconds: the start limit of five in a minute is still reached, and OPMAS goes on there.
    """
    if policy.give_up_on != DEFAULT_POLICY.give_up_on:
        yield "RestartPreventExitStatus", ()
        if policy.give_up_on:
            yield "RestartPreventExitStatus", tuple(map(str, policy.give_up_on))
    if place.systemd >= GROWING_RESTARTS:
        yield "RestartSteps", ("4",)
        yield "RestartMaxDelaySec", ("3",)


def _limits(limits: Limits) -> Lines:
    return [
        ("MemoryMax", (str(limits.memory_max),)),
        ("MemoryHigh", (str(limits.memory_high),)),
        ("TasksMax", (str(limits.tasks_max),)),
        ("CPUQuota", (f"{limits.cpu_quota}%",)),
        ("CPUWeight", (str(limits.cpu_weight),)),
        ("IOWeight", (str(limits.io_weight),)),
    ]


def _python_path(manifest: Manifest, place: Place) -> Lines:
    return _environment(place) if manifest.runtime is Runtime.PYTHON else []


def _environment(place: Place) -> Lines:
    return [("Environment", (f"PYTHONPATH={place.pythonpath}",))] if place.pythonpath else []


def _code(manifest: Manifest, place: Place) -> tuple[str, ...]:
    """Return the directories of the agent's own code that it would not see by itself."""
    paths = [place.package_dir]
    if place.pythonpath and manifest.runtime is Runtime.PYTHON:
        paths += place.pythonpath.split(":")
    return tuple(p for p in dict.fromkeys(paths) if p.startswith((*HOMES, *_root_only(place))))


_HOST_FIGURES: Final[Lines] = [
    ("ProcSubset", ("all",)),
    ("BindReadOnlyPaths", ("-/proc/1/mounts",), f"{HOST_FIGURES}/mounts"),
    ("BindReadOnlyPaths", ("-/proc/1/mountinfo",), f"{HOST_FIGURES}/mountinfo"),
]


def _root_only(place: Place) -> tuple[str, ...]:
    return (place.state_dir,) if len(place.state_dir) > 1 else ()


def _widenings(spec: AgentSpec, manifest: Manifest, place: Place) -> Lines:
    sandbox = granted_sandbox(manifest.sandbox, spec.grants)
    return [
        *_network(sandbox.network),
        *(_HOST_FIGURES if sandbox.proc is Proc.HOST else ()),
        *([("InaccessiblePaths", ())] if sandbox.bus else []),
        *_paths(sandbox, _code(manifest, place), _root_only(place)),
        *_capabilities(sandbox.capabilities),
        *([("SupplementaryGroups", sandbox.groups)] if sandbox.groups else []),
    ]


def _network(network: Network) -> Iterator[Line]:
    if network is Network.NONE:
        return
    yield "PrivateNetwork", ("no",)
    yield "RestrictAddressFamilies", _FAMILIES[network]
    if network is Network.LOOPBACK:
        yield "IPAddressAllow", ("localhost",)
    if network is Network.FULL:
        yield "IPAddressDeny", ()


def _paths(sandbox: Sandbox, code: tuple[str, ...], root_only: tuple[str, ...]) -> Iterator[Line]:
    # an empty file system in the place of the homes can hold what is bound into it; by itself
    # ProtectHome=tmpfs can be written to on 252, and its /root cannot be entered on 257
    emptied: tuple[str, ...] = ()
    if any(path.startswith(HOMES) for path in (*sandbox.read, *sandbox.write, *code)):
        yield "ProtectHome", ("tmpfs",)
        emptied += HOMES
    emptied += tuple(top for top in root_only if any(path.startswith(top) for path in code))
    if emptied:
        yield "TemporaryFileSystem", tuple(f"{top[:-1]}:ro,mode=0755" for top in emptied)
    # "-": a path that isn't there yet doesn't keep the agent from starting
    for path in (*code, *sandbox.read):
        yield "BindReadOnlyPaths", (f"-{path}",)
    for path in sandbox.write:
        hidden = path.startswith((*HOMES, *TEMPORARY))
        yield "BindPaths" if hidden else "ReadWritePaths", (f"-{path}",)


def _capabilities(names: tuple[str, ...]) -> Iterator[Line]:
    if not names:
        return
    yield "CapabilityBoundingSet", names
    yield "AmbientCapabilities", names
    # in a user namespace of its own a capability has no power over the host
    yield "PrivateUsers", ("no",)
    opened = dict.fromkeys(each for name in names for each in OPENED.get(name, ()))
    for key, value in opened:
        yield key, (value,)
