"""From-scratch reference models, which each task names in its SPEC."""
