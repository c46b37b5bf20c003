"""Which treatment is recommended: ATOM."""
