"""The state and its one writer: saved, backed up, mended, brought back at a start."""
