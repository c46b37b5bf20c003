"""Which features can be trusted: agreement between raters and repeats, perturbations of one outline, and the gate."""
