"""What the strategies are made of: their base classes, and their way to pools and networks."""
