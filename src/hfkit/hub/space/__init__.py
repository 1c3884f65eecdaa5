"""Space: a run as a small app in the browser, here or as a Space on the Hub."""
