"""An MCP server over the console: an assistant asks and says what a person does on the command line."""
