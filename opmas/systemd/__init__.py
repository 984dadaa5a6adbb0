"""The only owner of pystemd: what systemd says and does, spoken by a process of its own."""
