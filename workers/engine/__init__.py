"""The Temporal server: the embedded one, and the way to any."""
