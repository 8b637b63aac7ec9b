"""The doctor, and every ill that it is to find."""
