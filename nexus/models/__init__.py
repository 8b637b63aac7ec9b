"""What the shop is: its tables, its queries and its rules."""
