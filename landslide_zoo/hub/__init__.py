"""The zoo of models, wherever they are, and publishing to the Hub."""
