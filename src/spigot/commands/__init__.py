"""The commands, one file for each kind of thing they do."""
