"""Stored records as OTLP again, as they were received after redaction."""
