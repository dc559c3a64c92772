"""Logs of others taken in as records: their lines understood, sent in chunks, each line once."""
