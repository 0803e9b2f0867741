"""What operators say of alerts, and what becomes of the rules by it."""
