//! `demo order`: places one order in a running shop and tells what became of it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use proto::types::v1::{Money, Order, OrderState};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::arguments::OrderArguments;
use crate::columns::printable;
use crate::connection::causes;
use crate::screen;
use crate::shop::{Gateway, NewOrder, Placed};
use crate::view::View;
use crate::waterfall::{duration, render};

/// How long the waterfall waits for late spans: an order whose caller went away goes on for some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Places the order, prints its result and then its waterfall.
///
/// # Errors
/// When nothing answers at the gateway. Without a view the order still counts.
pub(crate) async fn order(arguments: OrderArguments) -> anyhow::Result<ExitCode> {
    let (gateway, view) = (Gateway::new(&arguments.gateway.gateway)?, View::new(&arguments.view.view)?);
    let traceparent = arguments.traceparent.clone();
    let key = arguments.key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let placed = gateway.place(new_order(arguments, key.clone())?.kept()).await?;

    screen::print(format!("{}key       {}\n", describe(&placed), printable(&key)))?;
    if let Some(id) = &placed.trace_id {
        let caller = traceparent.as_deref().and_then(|header| header.split('-').nth(2));
        match view.settled(id, caller, PATIENCE).await {
            Ok(Some(recorded)) => {
                screen::print(render(&recorded.trace, screen::width(), screen::style()).trim_end())?;
                if !recorded.settled {
                    screen::print(format!("\nsome spans have not arrived yet; `trace {id}` shows them later"))?;
                }
            }
            Ok(None) => screen::print("no waterfall: the view has not received this trace; it may not be sampled")?,
            Err(error) => screen::print(format!("no waterfall: {error:#}"))?,
        }
    }
    Ok(if placed.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn new_order(arguments: OrderArguments, key: String) -> anyhow::Result<NewOrder> {
    let (skus, mut quantities) = (arguments.sku, arguments.quantity);
    if quantities.is_empty() {
        quantities = vec![1; skus.len()];
    }
    if skus.len() != quantities.len() {
        bail!("{} times --sku but {} times --quantity: give one quantity for each sku", skus.len(), quantities.len());
    }
    let mut metadata = MetadataMap::new();
    if let Some(traceparent) = arguments.traceparent {
        let value = traceparent.parse().context("--traceparent holds characters that no header can")?;
        metadata.insert("traceparent", value);
    }
    Ok(NewOrder {
        items: skus.into_iter().zip(quantities).collect(),
        email: arguments.email,
        token: arguments.token,
        key,
        deadline: arguments.deadline,
        metadata,
    })
}

/// What became of an order, a fact a line.
pub(crate) fn describe(placed: &Placed) -> String {
    let took = duration(u64::try_from(placed.took.as_nanos()).unwrap_or(u64::MAX));
    let mut lines = match &placed.outcome {
        None => vec![format!("PlaceOrder  no answer in time  {took}")],
        Some(Err(status)) => failure(status, &took),
        Some(Ok(order)) => success(order, &took),
    };
    if placed.replayed {
        lines.push("replayed  yes: this key was answered before, nothing was charged again".to_owned());
    }
    lines.extend(placed.trace_id.as_ref().map(|id| format!("trace     {}", printable(id))));
    lines.join("\n") + "\n"
}

fn success(order: &Order, took: &str) -> Vec<String> {
    let state = order.state().as_str_name().trim_start_matches("ORDER_STATE_");
    let total = order.total.as_ref().map(money).unwrap_or_default();
    let items: Vec<_> =
        order.lines.iter().map(|line| format!("{} x {}", line.quantity, printable(&line.sku))).collect();
    let pending = order.state() == OrderState::PaymentPending;
    let hint = if pending { "  (the bank's answer is unknown; the same --key asks again)" } else { "" };
    vec![
        format!("PlaceOrder  OK  {took}"),
        format!("order     {}  {state}{hint}", printable(&order.id)),
        format!("total     {total}  ({})", items.join(", ")),
    ]
}

fn failure(status: &Status, took: &str) -> Vec<String> {
    let mut lines = vec![format!("PlaceOrder  {}  {took}", code_name(status.code()))];
    lines.push(format!("message   {}", printable(status.message())));
    let cause = causes(status).last();
    lines.extend(cause.map(|cause| format!("cause     {}; is a gateway there?", printable(&cause.to_string()))));
    let fields = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    lines.extend(fields.iter().map(|v| printable(&format!("field     {}: {}", v.field, v.description))));
    if let Some(info) = status.get_details_error_info() {
        lines.push(printable(&format!("reason    {} ({})", info.reason, info.domain)));
    }
    if let Some(delay) = status.get_details_retry_info().and_then(|details| details.retry_delay) {
        lines.push(format!("retry     with the same --key, after {}", humantime::format_duration(delay)));
    }
    lines
}

/// A code as gRPC spells it: `DEADLINE_EXCEEDED`.
pub(crate) fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// `42.00 EUR`, `4200 JPY`.
fn money(money: &Money) -> String {
    let Money { minor_units, currency_code } = money;
    match currency_code.as_str() {
        "JPY" | "KRW" => format!("{minor_units} {currency_code}"),
        code => format!("{}.{:02} {}", minor_units / 100, minor_units % 100, printable(code)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proto::Invalid;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn items(line: &str) -> anyhow::Result<Vec<(String, i32)>> {
        let Some(Command::Order(arguments)) = Arguments::parse_from(line.split(' ')).command else { unreachable!() };
        new_order(arguments, "key".to_owned()).map(|order| order.items)
    }

    #[test]
    fn skus_and_quantities_pair_up() {
        let pair = |sku: &str, quantity| (sku.to_owned(), quantity);
        assert_eq!(items("demo order").unwrap(), [pair("tea", 1)]);
        assert_eq!(items("demo order --quantity -3").unwrap(), [pair("tea", -3)]);
        assert_eq!(items("demo order --sku tea --sku mug").unwrap(), [pair("tea", 1), pair("mug", 1)]);
        assert_eq!(
            items("demo order --sku tea --quantity 2 --sku mug --quantity 3").unwrap(),
            [pair("tea", 2), pair("mug", 3)]
        );
        assert!(items("demo order --sku tea --sku mug --quantity 2").is_err());
    }

    #[test]
    fn a_refusal_names_its_code_and_every_field() {
        let mut invalid = Invalid::none();
        invalid.add("items[0].sku", "is not in the catalogue");
        invalid.add("customer.email", "is missing");
        let outcome = Some(Err(invalid.into()));
        let took = Duration::from_millis(12);
        let placed = Placed { outcome, took, trace_id: Some("4bf9".to_owned()), replayed: false };
        let expected = "\
PlaceOrder  INVALID_ARGUMENT  12.0 ms
message   items[0].sku: is not in the catalogue; customer.email: is missing
field     items[0].sku: is not in the catalogue
field     customer.email: is missing
trace     4bf9
";
        assert_eq!(describe(&placed), expected);
    }

    #[test]
    fn codes_are_spelled_as_grpc_spells_them() {
        assert_eq!([Code::Ok, Code::DeadlineExceeded].map(code_name), ["OK", "DEADLINE_EXCEEDED"]);
    }

    #[test]
    fn money_has_the_currencys_own_digits() {
        let money = |minor_units, code: &str| money(&Money { minor_units, currency_code: code.to_owned() });
        assert_eq!((money(4205, "EUR"), money(4205, "JPY")), ("42.05 EUR".to_owned(), "4205 JPY".to_owned()));
    }
}
