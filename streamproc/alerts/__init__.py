"""Incidents, evidence, the message, the disk outbox, the sinks."""
