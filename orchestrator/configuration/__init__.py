"""Files in git become one checked value: sources, servers, rules, playbooks, and every mistake."""
