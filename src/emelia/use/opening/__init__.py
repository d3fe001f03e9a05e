"""What is seen to before a model file is run: that it is whole, and only computes."""
