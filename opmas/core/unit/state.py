"""What systemd says about one unit at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit as seen over D-Bus, in the words of org.freedesktop.systemd1(5).

    Instants are seconds since 1970, 0 when not set; `job_id` is 0 when no job is under way.
    """

    unit: str
    load_state: str = "loaded"
    active_state: str = "inactive"
    sub_state: str = "dead"
    result: str = "success"
    exec_main_code: int = 0
    exec_main_status: int = 0
    main_pid: int = 0
    n_restarts: int = 0
    invocation_id: str = ""
    status_text: str = ""
    job_id: int = 0
    active_enter_at: float = 0.0
    state_change_at: float = 0.0
    exec_main_exit_at: float = 0.0
    need_daemon_reload: bool = False
