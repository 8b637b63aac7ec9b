// What rows look like on the wire. Ids and amounts are far below 2^53, and JSON has no BigInt.
export function productOut(product) {
  return {
    id: Number(product.id),
    userId: Number(product.userId),
    name: product.name,
    description: product.description,
    price: Number(product.price),
    currency: product.currency,
    status: product.status,
    createdAt: product.createdAt,
    updatedAt: product.updatedAt,
  }
}

export function orderOut(order) {
  return {
    id: order.id,
    productId: order.productId === null ? null : Number(order.productId),
    productName: order.productName,
    email: order.email,
    name: order.name,
    status: order.status,
    amount: Number(order.amount),
    currency: order.currency,
    createdAt: order.createdAt,
    updatedAt: order.updatedAt,
  }
}

export function userOut({ id, email, role, createdAt }) {
  return { id: Number(id), email, role, createdAt }
}
