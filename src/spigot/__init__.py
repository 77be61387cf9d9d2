"""Spigot, the valve in front of Jenkins: webhooks wait while Jenkins is away, and flow when it is back."""

__version__ = "0.1.0"
