"""The host's side of one agent: its files, its socket, its health checks."""
