"""What keeps accounts safe, one thing a module."""
