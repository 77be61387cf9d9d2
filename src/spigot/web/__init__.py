"""The two listeners: the public one for providers, the admin one for people."""
