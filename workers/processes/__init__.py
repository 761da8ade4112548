"""The commands that stay up, a process each."""
