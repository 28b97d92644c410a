"""From records and claims to typed values."""
