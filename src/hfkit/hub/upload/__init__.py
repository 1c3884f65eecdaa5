"""What is written to the Hub: models, data sets and their cards, in commits that can be repeated."""
