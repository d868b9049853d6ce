"""Tasks of the user's own, from the driver's side: what one told of itself, and what Trainers of other libraries need to be followed."""
