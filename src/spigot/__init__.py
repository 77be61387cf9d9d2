"""Spigot, the valve in front of Jenkins: webhooks wait while it is away, and flow afterwards."""

__version__ = "0.1.0"
