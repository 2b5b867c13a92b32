"""Which tools a conversation may have, under which arguments, at what price and with whose consent."""
