"""Measures a few well-chosen graphs on a phone, and fits a device profile to them."""
