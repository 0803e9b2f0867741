"""Stage 2 of Anomaly-OV: LLaVA-OneVision learns to speak of what the expert selects (section 3.5, A2)."""
