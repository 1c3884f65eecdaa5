"""Which labels are wrong: doubted by models that never learnt them, ranked, and their number with its interval."""
