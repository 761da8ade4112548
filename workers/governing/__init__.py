"""How a definition is published, changed, deprecated and retired."""
