"""What leaves curation."""
