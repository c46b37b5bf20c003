"""Published systems that predict survival."""
