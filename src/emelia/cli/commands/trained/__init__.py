"""Commands on trained networks and on weights that trainings begin with."""
