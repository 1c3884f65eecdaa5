"""Masks: which class each pixel of a picture has, in the forms that programs write it in."""
