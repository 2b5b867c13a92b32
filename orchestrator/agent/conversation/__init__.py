"""What a conversation is made of and what its model is shown of it; nothing here asks a model or calls a tool."""
