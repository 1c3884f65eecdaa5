"""The Hub: a run published in one verified commit, and fetched again."""
