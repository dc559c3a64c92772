"""Recorded history sent to an OTLP receiver: what to read, when to send it, how far it came."""
