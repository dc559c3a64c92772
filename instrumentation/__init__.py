"""What the app imports; nothing is loaded before it is asked for."""
