"""Monitor: what a finished model meets day by day, held against the rows that it was validated on."""
