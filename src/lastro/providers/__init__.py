"""The banks and networks behind Lastro, each reached through one adapter."""
