"""Where messages come from: one folder a channel."""
