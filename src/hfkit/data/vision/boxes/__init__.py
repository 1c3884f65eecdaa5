"""Boxes around objects of pictures: the files that hold them, and their coordinates made one."""
