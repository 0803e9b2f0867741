"""Instruction data: names of things become phrases, pictures and conversations (Anomaly-OV, section 4.1 and A1)."""
