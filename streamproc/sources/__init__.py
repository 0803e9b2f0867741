"""Packets from a camera or a file, for ever."""
