"""hfkit's side of the comparisons: what its commands do, with the figures as a line of JSON at the end."""
