//! What the traces look like.

pub(super) const DECLINED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=FAILED_PRECONDITION]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge ERROR [rpc.status_code=FAILED_PRECONDITION]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=FAILED_PRECONDITION]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [http.response.status_code=402]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

pub(super) const DECLINED_AGAIN: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=FAILED_PRECONDITION]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT SELECT order_lines
";

pub(super) const REPLAYED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=OK]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT SELECT order_lines
";

pub(super) const RETRIED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder
    order SERVER shop.order.v1.OrderService/PlaceOrder
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge
          payment SERVER shop.payment.v1.PaymentService/Charge
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [http.response.status_code=503]
              payment CLIENT POST /v1/authorisations ERROR [http.request.resend_count=1, http.response.status_code=503]
              payment CLIENT POST /v1/authorisations [http.request.resend_count=2, http.response.status_code=201]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

/// What was begun is finished: only those who waited have given up.
pub(super) const GIVEN_UP: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder ERROR [rpc.status_code=DEADLINE_EXCEEDED]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=DEADLINE_EXCEEDED]
    order SERVER shop.order.v1.OrderService/PlaceOrder {order}
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations
              payment CLIENT BEGIN
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

/// Unknown is not failed: only the question to the bank is an error.
pub(super) const UNKNOWN: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=OK]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [error.type=timeout]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payment_steps
              payment CLIENT COMMIT
        order CLIENT BEGIN
        order CLIENT UPDATE orders
        order CLIENT COMMIT
";

pub(super) const RESUMED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder
    order SERVER shop.order.v1.OrderService/PlaceOrder
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT BEGIN
        order CLIENT UPDATE orders
        order CLIENT SELECT orders order_steps order_events
        order CLIENT SELECT order_lines
        order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge
          payment SERVER shop.payment.v1.PaymentService/Charge
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT SELECT idempotency_keys payments
              payment CLIENT UPDATE payment_steps
              payment CLIENT SELECT payments payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations [http.response.status_code=201]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE payments
              payment CLIENT INSERT payment_history SELECT payment_history
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";
