"""The only owner of sqlite3: agents, configs and the event log of this host."""
