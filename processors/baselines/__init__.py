"""What was usual once, kept, and whether it is so still."""
