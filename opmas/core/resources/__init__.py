"""What agents use of the host, what they may use, and which limits would fit."""
