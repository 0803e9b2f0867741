"""Looking closely at one object or region: is it as it should be, and where not (Anomaly-OV, CVPR 2025)."""
