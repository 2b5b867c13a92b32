"""One turn of a model: what it may cost, the money reserved, the question, the answer recorded."""
