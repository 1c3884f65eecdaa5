"""Words: from whatever a source holds to words with tags, and to the windows in which a model reads them."""
