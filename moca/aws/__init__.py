"""AWS: clients of its services, and what the product asks them."""
