"""Search: an index of vectors, and what is found in it."""

from hfkit.inference.search.building import index as index
from hfkit.inference.search.retrieving import retrieve as retrieve
