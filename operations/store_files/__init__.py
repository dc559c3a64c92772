"""Records as files that others read, and such files taken in."""
