"""What packages ship as texts and labels, read into rows: no code of theirs runs."""
