"""What the agent needs of the world around it, as its configuration says; each a check."""

import socket
from pathlib import Path

from opmas.agent import Check

TIMEOUT = 1.0


def must_be_there(config):
    if config.get("needs") and not Path(config["needs"]).exists():
        raise FileNotFoundError(config["needs"])


def checks(config):
    found = []
    if config.get("server"):  # PORT/PATH of this host
        found.append(_check("server", answer(*config["server"].split("/"))))
    if config.get("host"):
        found.append(_check("name", resolution(config["host"])))
    if config.get("trouble"):  # a file: as long as it is there, the check of that code fails
        found.append(_check("work", config["code"] if Path(config["trouble"]).exists() else ""))
    return found


def answer(port, path):
    try:
        with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT) as server:
            server.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
            status = server.recv(64).split()[1].decode()
    except OSError:
        return "connection-refused"
    return "" if status == "200" else f"http-{status}"


def resolution(host):
    try:
        socket.getaddrinfo(host, 80)
    except socket.gaierror:
        return "dns-failed"
    return ""


def _check(name, code):
    return Check(name, "unhealthy" if code else "healthy", code)
