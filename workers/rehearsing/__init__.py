"""A changed executor on past cases, from which nothing comes."""
