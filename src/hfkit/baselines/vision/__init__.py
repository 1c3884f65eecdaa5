"""From-scratch reference models for pictures: plain torch, one architecture a file, and the shell that saves them.

Every network is a module that turns (batch, channels, height, width) into (batch, `width`) features; the head is the
shell's.
"""
