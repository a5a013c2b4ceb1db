use super::*;

const MILLISECOND: u64 = 1_000_000;

fn span(service: &str, id: &str, parent: &str, name: &str, kind: Kind, from: u64, to: u64) -> Span {
    Span {
        service: service.to_owned(),
        id: id.to_owned(),
        parent: Some(parent.to_owned()).filter(|parent| !parent.is_empty()),
        name: name.to_owned(),
        kind,
        start: from * MILLISECOND,
        end: to * MILLISECOND,
        ..Span::default()
    }
}

fn order() -> Trace {
    let mut charge = span("order", "4", "3", "shop.payment.v1.PaymentService/Charge", Kind::Client, 12, 20);
    charge.failed = true;
    charge.attributes.insert("rpc.status_code".to_owned(), "UNAVAILABLE".to_owned());
    let mut insert = span("order", "5", "3", "INSERT orders", Kind::Client, 10, 12);
    insert.attributes.insert("db.system.name".to_owned(), "sqlite".to_owned());
    let spans = vec![
        span("gateway", "1", "", "shop.gateway.v1.ShopService/PlaceOrder", Kind::Server, 0, 20),
        span("gateway", "2", "1", "shop.order.v1.OrderService/PlaceOrder", Kind::Client, 5, 20),
        span("order", "3", "2", "place_order", Kind::Internal, 10, 20),
        charge,
        insert,
    ];
    let log = Log { span: "3".into(), time: 11 * MILLISECOND, level: "warn".into(), message: "bank is away".into() };
    Trace { spans, logs: vec![log] }
}

#[test]
fn a_waterfall_shows_tree_bars_times_failures_and_logs() {
    let drawn = "\
gateway  ShopService/PlaceOrder       server  ████████████████████   20.0 ms
gateway  └ OrderService/PlaceOrder    client       ███████████████   15.0 ms
order      └ place_order                                ██████████   10.0 ms
               · WARN bank is away                                  +11.0 ms
order        ├ INSERT orders          sqlite            ██            2.0 ms
order        └ PaymentService/Charge  client              ████████    8.0 ms  ! UNAVAILABLE
";
    assert_eq!(render(&order(), 91, Style::Plain), drawn);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for terminal in (30..=64).chain([72, 80, 100, 200]) {
        let drawn = render(&order(), terminal, Style::Plain);
        assert!(drawn.lines().all(|line| width(line) <= terminal), "{terminal}:\n{drawn}");
    }
}

#[test]
fn a_narrow_terminal_has_no_bar() {
    let drawn = "\
gateway  ShopService/…   20.0 ms
gateway  └ OrderServi…   15.0 ms
order      └ place_or…   10.0 ms
               · WARN…  +11.0 ms
order        ├ INSERT…    2.0 ms
order        └ Paymen…    8.0 ms  ! UNAVAILABLE
";
    assert_eq!(render(&order(), 47, Style::Plain), drawn);
}

#[test]
fn a_name_is_left_however_deep_it_stands() {
    assert_eq!(hang("│ │   ├ ", "tea", 9, 11), "│ │   ├ tea");
    assert_eq!(hang("│ │   ├ ", "INSERT orders", 5, 10), "…  ├ INSE…");
    assert_eq!(hang("│ │   ├ ", "tea", 5, 10), "…  ├ tea  ");
    assert_eq!(hang("├ ", "INSERT orders", 3, 7), "├ INSE…");
}

#[test]
fn colour_changes_no_text() {
    let coloured = render(&order(), 100, Style::Colour);
    assert!(coloured.contains('\u{1b}'));
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    let trimmed: String = plain.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    assert_eq!(trimmed, render(&order(), 100, Style::Plain));
}

#[test]
fn a_missing_parent_is_said_to_be_missing() {
    let trace =
        Trace { spans: vec![span("order", "2", "00f067aa0ba902b7", "late", Kind::Internal, 0, 1)], logs: Vec::new() };
    let drawn = render(&trace, 60, Style::Plain);
    let lines: Vec<_> = drawn.lines().map(str::trim_start).collect();
    assert!(lines[0].starts_with("(parent 00f067aa0ba902b7 not received)"), "{drawn}");
    assert!(lines[1].contains("└ late"), "{drawn}");
}

#[test]
fn wide_names_keep_the_columns_aligned() {
    let spans = vec![
        span("注文", "1", "", "お茶を注文する", Kind::Internal, 0, 10),
        span("注文", "2", "1", "とても長い名前のためにここで切られてしまう作業の名前", Kind::Internal, 5, 10),
    ];
    let drawn = render(&Trace { spans, logs: Vec::new() }, 60, Style::Plain);
    assert!(drawn.contains('…'));
    assert!(drawn.lines().all(|line| width(line) == 60), "{drawn}");
}

#[test]
fn a_hostile_name_cannot_reach_the_terminal() {
    let trace = Trace { spans: vec![span("a", "1", "", "x\u{1b}[2J\r\n", Kind::Internal, 0, 1)], logs: Vec::new() };
    let drawn = render(&trace, 80, Style::Plain);
    assert!(!drawn.contains(['\u{1b}', '\r']));
    assert_eq!(drawn.lines().count(), 1);
}

#[test]
fn durations() {
    let shown = [412_000, 1_250_000, 31_240_000, 412_000_000, 3_021_000_000].map(duration);
    assert_eq!(shown, ["412 µs", "1.2 ms", "31.2 ms", "412 ms", "3.02 s"]);
}

#[test]
fn only_rpc_names_are_shortened() {
    assert_eq!(short("shop.order.v1.OrderService/PlaceOrder"), "OrderService/PlaceOrder");
    assert_eq!(short("POST /v1/authorisations"), "POST /v1/authorisations");
    assert_eq!(short("INSERT orders"), "INSERT orders");
}
