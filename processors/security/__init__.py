"""Attacks, told from logins, refusals and exports."""
