"""Where webhooks wait: each store keeps the promises of `spigot.ports`."""
