"""The outside of a run: the model, the hands, and the activities that call them."""
