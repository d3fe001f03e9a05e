"""What happens to a connection before the application sees a request of it, and after."""
