"""An MCP server for Stripe whose payments, refunds and subscriptions answer when Stripe says how they ended."""
