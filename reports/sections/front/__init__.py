"""The front page, and what it says in words."""
