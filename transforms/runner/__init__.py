"""From SQL files to tables: reads the models, orders them, runs and checks them."""
