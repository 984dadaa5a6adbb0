"""One agent: the terms in which all speak of it, its state, its life."""
