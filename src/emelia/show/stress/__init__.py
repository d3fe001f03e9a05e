"""Pages and tables of what a model does under stress."""
