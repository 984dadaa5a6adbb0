"""systemd's unit of an agent: its files as text, its state, how its processes ended."""
