"""What the command line does as Python functions; `emelia` itself offers their names."""
