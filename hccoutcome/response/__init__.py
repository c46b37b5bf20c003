"""Published systems that predict response to treatment."""
