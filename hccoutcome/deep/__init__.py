"""Deep systems: what a network sees of a case, the networks, and how they are trained; PyTorch is imported here only.

The inputs need no PyTorch: a case can be shown as a network sees it where PyTorch is not installed.
"""
