"""What is captured, one module a source; each tells in one phrase whether it is active, or why it is not."""
