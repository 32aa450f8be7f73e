"""A simulator of Amazon's Dash Replenishment Service, legacy REST, on loopback."""
