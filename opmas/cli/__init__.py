"""`opmas`: the command line, a client of the manager's control socket."""
