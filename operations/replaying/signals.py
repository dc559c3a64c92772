"""What can be replayed; cheap to import, for the help of the command."""

SIGNALS = ("traces", "metrics", "logs")
