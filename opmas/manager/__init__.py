"""The imperative shell: the one writer of the state, its sockets and its effects."""
