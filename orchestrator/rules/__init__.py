"""Which playbook answers: declarative rules, matched with a trace of every leaf."""
