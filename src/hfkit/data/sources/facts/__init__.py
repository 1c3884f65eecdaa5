"""Questions that are made: what tables of facts in packages tell, as texts and what can be asked about them."""
