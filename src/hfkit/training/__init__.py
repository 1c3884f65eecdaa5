"""Training: the one loop, what it steps and saves, and the job around it."""
