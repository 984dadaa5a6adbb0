"""The calls that the manager may make, each as a row of a table, and what a refusal means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.systemd.bus import SERVICE, UNIT, Bus, BusError
from opmas.systemd.paths import unit_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The wire types of the limits (org.freedesktop.systemd1(5)): all are 64-bit and unsigned.
LIMITS: Final = frozenset(
    {"MemoryMax", "MemoryHigh", "TasksMax", "CPUQuotaPerSecUSec", "CPUWeight", "IOWeight"}
)

NETWORK: Final = (b"IPIngressBytes", b"IPEgressBytes")
UNKNOWN: Final = 2**64 - 1  # a count that systemd does not keep

_SYSTEMD: Final = "org.freedesktop.systemd1."
_DBUS: Final = "org.freedesktop.DBus.Error."

# pystemd keeps the D-Bus name of an error only where it has no class for it.
REASONS: Final[Mapping[str, str]] = {
    "DBusNoSuchUnitError": "no-such-unit",
    f"{_SYSTEMD}NoSuchUnit": "no-such-unit",
    f"{_SYSTEMD}LoadFailed": "bad-setting",
    f"{_SYSTEMD}BadUnitSetting": "bad-setting",
    f"{_SYSTEMD}UnitMasked": "masked",
    f"{_SYSTEMD}UnitBusy": "busy",
    f"{_SYSTEMD}ShuttingDown": "busy",
    f"{_SYSTEMD}TransactionIsDestructive": "busy",
    f"{_SYSTEMD}TransactionJobsConflicting": "busy",
    "DBusTimeoutError": "timeout",
    "DBusTimedOutError": "timeout",
    "DBusNoReplyError": "timeout",
    "System.Error.ETIMEDOUT": "timeout",
    "System.Error.EINTR": "unavailable",
    "DBusInterruptedError": "unavailable",
    "DBusDisconnectedError": "unavailable",
    "DBusServiceUnknownError": "unavailable",
    "DBusNameHasNoOwnerError": "unavailable",
    "DBusNoServerError": "unavailable",
    "disconnected": "unavailable",
}


def reason_of(error: BusError) -> str:
    """Return the reason, from the list of `SystemdError`, for which a call failed."""
    return REASONS.get(error.name, "unavailable" if error.lost else "refused")


def perform(bus: Bus, call: str, unit: str, arguments: list[Any]) -> Any:
    """Make one of the calls in CALLS and return its answer."""
    return CALLS[call](bus, unit.encode(), *arguments)


def _job(method: bytes) -> Callable[[Bus, bytes], int]:
    def enqueue(bus: Bus, unit: bytes) -> int:
        path = bus.call(method, b"ss", unit, b"replace")
        return int(path.rpartition(b"/")[2])  # /org/freedesktop/systemd1/job/83

    return enqueue


def _reset_failed(bus: Bus, unit: bytes) -> None:
    try:
        bus.call(b"ResetFailedUnit", b"s", unit)
    except BusError as error:
        if reason_of(error) != "no-such-unit":
            raise


def _kill(bus: Bus, unit: bytes, signal: int) -> None:
    bus.call(b"KillUnit", b"ssi", unit, b"all", signal)


def _set_limits(bus: Bus, unit: bytes, limits: dict[str, int]) -> None:
    bus.call_raw(b"SetUnitProperties", set_properties_arguments(unit, limits))


def set_properties_arguments(unit: bytes, limits: dict[str, int]) -> list[tuple[int, object]]:
    """Return the arguments of SetUnitProperties, `sba(sv)`: pystemd cannot lay out a variant.

    A pair opens a container with its contents' signature; -1 closes the innermost one.
    """
    laid: list[tuple[int, object]] = [(ord("s"), unit), (ord("b"), True), (ord("a"), b"(sv)")]
    for name, value in limits.items():
        if name not in LIMITS:
            raise BusError("unknown-limit", f"{name} is none of {', '.join(sorted(LIMITS))}")
        laid += [(ord("r"), b"sv"), (ord("s"), name.encode())]
        laid += [(ord("v"), b"t"), (ord("t"), value), (-1, None), (-1, None)]
    return [*laid, (-1, None)]


def _clean(bus: Bus, unit: bytes, what: list[str]) -> None:
    bus.call(b"CleanUnit", b"sas", unit, [one.encode() for one in what])


def _is_cleaning(bus: Bus, unit: bytes) -> bool:
    return bool(bus.get(unit_path(unit.decode()), UNIT, b"ActiveState", b"s") == b"maintenance")


def _needs_reload(bus: Bus, unit: bytes) -> bool:
    return bool(bus.get(unit_path(unit.decode()), UNIT, b"NeedDaemonReload", b"b"))


def _network_bytes(bus: Bus, unit: bytes) -> list[int] | None:
    path = unit_path(unit.decode())
    counts = [int(bus.get(path, SERVICE, name, b"t")) for name in NETWORK]
    return None if UNKNOWN in counts else counts


def _reload_daemon(bus: Bus, _unit: bytes) -> None:
    bus.call(b"Reload")


CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "start": _job(b"StartUnit"),
    "stop": _job(b"StopUnit"),
    "restart": _job(b"RestartUnit"),
    "reset_failed": _reset_failed,
    "kill": _kill,
    "set_limits": _set_limits,
    "clean": _clean,
    "is_cleaning": _is_cleaning,
    "needs_reload": _needs_reload,
    "network_bytes": _network_bytes,
    "reload_daemon": _reload_daemon,
}
