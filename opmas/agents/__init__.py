"""The agents that ship with OPMAS, each laid out as any author's package is."""
