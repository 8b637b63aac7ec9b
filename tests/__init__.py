"""What the service promises, checked over a real PostgreSQL that the migrations have built."""
