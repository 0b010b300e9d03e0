"""Export: training rows, benchmark pairs and the files they are written to."""
