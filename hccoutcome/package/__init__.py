"""Model packages: format, verification, applicability and the predictions that they give."""
