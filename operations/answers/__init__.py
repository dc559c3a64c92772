"""What each reading command answers: a value for `--json`, and how people see it."""
