"""All methods side by side."""
