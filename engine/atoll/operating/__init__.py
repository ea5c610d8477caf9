"""What operators ask of a running ring, through whatever door: is it well, does it agree, where is a record."""
