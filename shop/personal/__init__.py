"""What all apps together know of one customer: given out, and erased. Above them all, and without tables of its own."""
