"""Tables: rows, their columns and the roles that these play."""
