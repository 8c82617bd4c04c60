"""What the clouds that run containers have in common, and how each of their services is read."""
