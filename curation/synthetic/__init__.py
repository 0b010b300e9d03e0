"""The quickstart's data: real photographs, programmatic edits with known faults, and a teacher that measures them."""
