"""Tended beside the road: runs that stand still go on, people are told, what is lost is found, what is old goes."""
