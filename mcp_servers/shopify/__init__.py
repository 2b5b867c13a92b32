"""An MCP server for Shopify whose fulfilments and refunds answer when the shop says how they ended."""
