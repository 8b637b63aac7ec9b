"""The shop's domain: its tables, its queries and its rules."""
