"""Fault injection: runs that are killed, starved of disk or damaged, and have to end in the same bytes all the same."""
