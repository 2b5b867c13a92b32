"""What is asked of Shopify's GraphQL Admin API; only text.

https://shopify.dev/docs/api/admin-graphql/2026-07
"""

from typing import Final

VERSION: Final = "2026-07"

ORDER: Final = """
query Order($id: ID!) {
  order(id: $id) {
    name displayFinancialStatus displayFulfillmentStatus
    totalPriceSet { shopMoney { amount currencyCode } }
    fulfillmentOrders(first: 20) {
      nodes { id status lineItems(first: 20) { nodes { remainingQuantity lineItem { name } } } }
    }
  }
}
"""

FULFILLED: Final = """
query Fulfilled($id: ID!) {
  fulfillmentOrder(id: $id) { status fulfillments(first: 1, reverse: true) { nodes { id legacyResourceId status } } }
}
"""

FULFILL: Final = """
mutation Fulfill($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id legacyResourceId status }
    userErrors { field message }
  }
}
"""

SUGGESTED: Final = """
query Suggested($id: ID!) {
  order(id: $id) {
    suggestedRefund(suggestFullRefund: true) {
      amountSet { shopMoney { amount currencyCode } }
      refundLineItems { lineItem { id } quantity }
      suggestedTransactions { gateway parentTransaction { id } amountSet { shopMoney { amount } } }
    }
  }
}
"""

REFUND: Final = """
mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id legacyResourceId transactions(first: 10) { nodes { id status } } }
    userErrors { field message }
  }
}
"""

CANCEL: Final = """
mutation Cancel($id: ID!) {
  fulfillmentCancel(id: $id) { fulfillment { status } userErrors { field message } }
}
"""
