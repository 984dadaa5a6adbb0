"""The Linux capabilities that a package may ask for, and what else each needs opened.

capabilities(7) has the list. The template closes more than the capability itself: a
capability that is granted must also be usable, so `OPENED` names the settings of
systemd.exec(5) that take it away again or whose system call filter stops it.
"""

from __future__ import annotations

from typing import Final

# What the admin reads before granting it. "As good as root": it can be turned into all of root.
CAPABILITIES: Final = {
    "CAP_AUDIT_CONTROL": "change the rules of the kernel's audit",
    "CAP_AUDIT_READ": "read the kernel's audit log",
    "CAP_AUDIT_WRITE": "write to the kernel's audit log",
    "CAP_BLOCK_SUSPEND": "keep the host from going to sleep",
    "CAP_BPF": "load BPF programs into the kernel",
    "CAP_CHECKPOINT_RESTORE": "look into and restore other processes",
    "CAP_CHOWN": "change the owner of any file (as good as root)",
    "CAP_DAC_OVERRIDE": "read and write any file (as good as root)",
    "CAP_DAC_READ_SEARCH": "read any file, secrets included",
    "CAP_FOWNER": "act as the owner of any file (as good as root)",
    "CAP_FSETID": "keep set-user-ID bits on files that it changes",
    "CAP_IPC_LOCK": "lock memory so that it is never swapped",
    "CAP_IPC_OWNER": "use any shared memory and message queue",
    "CAP_KILL": "send signals to any process",
    "CAP_LEASE": "hold leases on any file",
    "CAP_LINUX_IMMUTABLE": "set the immutable and append-only flags of files",
    "CAP_MAC_ADMIN": "change the policy of AppArmor or SELinux",
    "CAP_MAC_OVERRIDE": "ignore the policy of AppArmor or SELinux",
    "CAP_MKNOD": "make device files (as good as root)",
    "CAP_NET_ADMIN": "change the network's interfaces, routes and firewall",
    "CAP_NET_BIND_SERVICE": "listen on ports below 1024",
    "CAP_NET_BROADCAST": "broadcast on the network",
    "CAP_NET_RAW": "send and receive raw packets (ping, sniffing)",
    "CAP_PERFMON": "measure the performance of the whole host",
    "CAP_SETFCAP": "give capabilities to files (as good as root)",
    "CAP_SETGID": "become any group (as good as root)",
    "CAP_SETPCAP": "hand on capabilities",
    "CAP_SETUID": "become any user (as good as root)",
    "CAP_SYS_ADMIN": "administer the system (as good as root)",
    "CAP_SYS_BOOT": "reboot the host and load another kernel",
    "CAP_SYS_CHROOT": "use chroot",
    "CAP_SYS_MODULE": "load kernel modules (as good as root)",
    "CAP_SYS_NICE": "change the priority of any process",
    "CAP_SYS_PACCT": "switch process accounting",
    "CAP_SYS_PTRACE": "look into and change any process (as good as root)",
    "CAP_SYS_RAWIO": "reach the hardware directly (as good as root)",
    "CAP_SYS_RESOURCE": "exceed resource limits and quotas",
    "CAP_SYS_TIME": "set the clock",
    "CAP_SYS_TTY_CONFIG": "change terminals",
    "CAP_SYSLOG": "read the kernel's log",
    "CAP_WAKE_ALARM": "wake the host from sleep",
}

# (setting, value) that must follow the capability for it to be of use, in the drop-in's order.
OPENED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "CAP_AUDIT_READ": (("RestrictAddressFamilies", "AF_NETLINK"),),
    "CAP_BPF": (("SystemCallFilter", "bpf"),),
    "CAP_CHOWN": (("SystemCallFilter", "@chown"),),
    "CAP_MKNOD": (("PrivateDevices", "no"),),
    "CAP_NET_ADMIN": (("RestrictAddressFamilies", "AF_NETLINK"),),
    "CAP_NET_RAW": (("RestrictAddressFamilies", "AF_PACKET"),),
    "CAP_PERFMON": (("SystemCallFilter", "perf_event_open"),),
    "CAP_SETGID": (("SystemCallFilter", "@setuid"),),
    "CAP_SETUID": (("SystemCallFilter", "@setuid"),),
    "CAP_SYS_BOOT": (("SystemCallFilter", "@reboot"),),
    "CAP_SYS_CHROOT": (("SystemCallFilter", "chroot"),),
    "CAP_SYS_MODULE": (("ProtectKernelModules", "no"), ("SystemCallFilter", "@module")),
    "CAP_SYS_NICE": (("SystemCallFilter", "@resources"), ("RestrictRealtime", "no")),
    "CAP_SYS_PTRACE": (("SystemCallFilter", "@debug"), ("ProtectProc", "default")),
    "CAP_SYS_RAWIO": (("PrivateDevices", "no"), ("SystemCallFilter", "@raw-io")),
    "CAP_SYS_RESOURCE": (("SystemCallFilter", "@resources"),),
    "CAP_SYS_TIME": (("ProtectClock", "no"), ("SystemCallFilter", "@clock")),
    "CAP_SYSLOG": (("ProtectKernelLogs", "no"), ("SystemCallFilter", "syslog")),
    "CAP_WAKE_ALARM": (("ProtectClock", "no"), ("SystemCallFilter", "timer_create")),
}
