"""Profiles a phone: measures a few well-chosen graphs on it and fits a device profile to them."""
