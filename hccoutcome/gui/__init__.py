"""The panels shared by the three modules: the only place besides them that imports qt and ctk."""
