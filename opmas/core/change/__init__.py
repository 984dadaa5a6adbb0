"""Changes of the host: planned, carried out, watched, kept or undone."""
