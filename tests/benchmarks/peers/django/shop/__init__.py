"""The shop as the community of Django would write it: its models and Django REST framework."""
