"""What `forecourt check` looks at: each check is a function that gives a line for each component."""
