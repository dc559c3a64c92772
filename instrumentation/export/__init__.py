"""From the app's memory to the sidecar, or into the spool until it is there."""
