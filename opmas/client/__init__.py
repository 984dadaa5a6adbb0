"""A client of the manager's control socket, for the CLI, the API and tests."""
