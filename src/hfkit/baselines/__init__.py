"""From-scratch reference models, and the classical baselines every run is held against."""
