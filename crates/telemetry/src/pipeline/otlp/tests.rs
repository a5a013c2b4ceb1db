use super::*;
use crate::pipeline::certificates::Authority;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

/// All that the variables decide, for comparison.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    protocol: Protocol,
    url: String,
    limit: Option<Duration>,
    headers: Vec<(String, String)>,
    is_gzip: bool,
    tls: (bool, bool),
}

fn default() -> Settings {
    Settings {
        protocol: Protocol::Grpc,
        url: "http://localhost:4317/".to_owned(),
        limit: Some(Duration::from_secs(10)),
        headers: Vec::new(),
        is_gzip: false,
        tls: (false, false),
    }
}

fn settings(otlp: &Otlp) -> Settings {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    Settings {
        protocol: otlp.protocol,
        url: otlp.url.expose().to_string(),
        limit: otlp.limit,
        headers: otlp.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        is_gzip: otlp.is_gzip,
        tls: (otlp.tls.has_roots(), otlp.tls.has_identity()),
    }
}

fn of(signal: Signal, variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let named = |(what, value): &(&str, &str)| (format!("OTEL_EXPORTER_OTLP_{what}"), (*value).to_owned());
    let environment: Environment = variables.iter().map(named).collect();
    let otlp = Otlp::of(&environment, signal);
    (settings(&otlp), environment.take_warnings())
}

/// Each of these values, under the name of all signals and of each signal's own, makes these settings and no warning.
#[track_caller]
fn is_read(what: &str, values: &[&str], expected: Settings) {
    for value in values {
        for signal in SIGNALS {
            let own = format!("{}_{what}", signal.variable());
            let (settings, warnings) = of(signal, &[(what, value)]);
            assert_eq!((settings, warnings.len()), (expected.clone(), 0), "{what}={value}: {warnings:?}");
            let (settings, warnings) = of(signal, &[(what, ""), (&own, value)]);
            assert_eq!((settings, warnings.len()), (expected.clone(), 0), "{own}={value}: {warnings:?}");
        }
    }
}

/// Each of these values is told of once, by the variable's name and without the value, and changes nothing.
#[track_caller]
fn is_warned_of(what: &str, values: &[&str]) {
    let environment = |name: &str, value: &str| -> Environment { [(name, value)].into_iter().collect() };
    for value in values {
        let name = format!("OTEL_EXPORTER_OTLP_{what}");
        let for_all = environment(&name, value);
        let settings = SIGNALS.map(|signal| settings(&Otlp::of(&for_all, signal)));
        assert_eq!(settings, SIGNALS.map(|_| default()), "{name}={value}");
        warned(&for_all.take_warnings(), &name, value);
        for signal in SIGNALS {
            let name = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable());
            let own = environment(&name, value);
            assert_eq!(super::tests::settings(&Otlp::of(&own, signal)), default(), "{name}={value}");
            warned(&own.take_warnings(), &name, value);
        }
    }
}

#[track_caller]
fn warned(warnings: &[String], name: &str, value: &str) {
    let [warning] = warnings else { panic!("{name}={value}: {warnings:?}") };
    // The default may look like the value.
    let (told, _) = warning.split_once(", ").unwrap();
    assert!(told.starts_with(&format!("{name} ")), "{name}={value}: {warning}");
    assert!(!told.contains(value) && !told.contains("hunter2"), "{name}={value}: {warning}");
}

#[test]
fn protocols() {
    let http = |protocol| Settings { protocol, ..default() };
    is_read("PROTOCOL", &["", "grpc", "GRPC", "Grpc"], default());
    for (values, protocol) in
        [(["http/protobuf", "HTTP/Protobuf"], Protocol::HttpProtobuf), (["http/json", "Http/JSON"], Protocol::HttpJson)]
    {
        for (value, signal) in values.into_iter().flat_map(|value| SIGNALS.map(|signal| (value, signal))) {
            let url = format!("http://localhost:4318{}", signal.http_path());
            assert_eq!(of(signal, &[("PROTOCOL", value)]), (Settings { url, ..http(protocol) }, vec![]));
        }
    }
    is_warned_of("PROTOCOL", &["http", "grpc/json", "thrift", "0", "-1", "NaN"]);
}

#[test]
fn limits() {
    let limit = |limit| Settings { limit, ..default() };
    is_read("TIMEOUT", &["", " ", "10000"], default());
    is_read("TIMEOUT", &["250"], limit(Some(Duration::from_millis(250))));
    is_read("TIMEOUT", &["0"], limit(None));
    is_warned_of("TIMEOUT", &["-1", "NaN", "abc", "1.5", "10s", "99999999999999999999"]);
}

#[test]
fn compressions() {
    is_read("COMPRESSION", &["", "none", "None", "NONE"], default());
    is_read("COMPRESSION", &["gzip", "GZIP", "GZip"], Settings { is_gzip: true, ..default() });
    is_warned_of("COMPRESSION", &["zstd", "snappy", "gzip,none", "true"]);
}

#[test]
fn headers_are_decoded_and_none_of_them_is_told() {
    let of = |pairs: &[(&str, &str)]| {
        let headers = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings { headers, ..default() }
    };
    is_read("HEADERS", &["", ",", " , "], default());
    is_read("HEADERS", &["authorization=Bearer%20t%3Dk%2C1", "Authorization = Bearer t=k%2C1 ,"], {
        of(&[("authorization", "Bearer t=k,1")])
    });
    is_read("HEADERS", &["a=1,b=", "A=0,a=1,b="], of(&[("a", "1"), ("b", "")]));
    is_warned_of("HEADERS", &["hunter2", "a=1,hunter2", "=hunter2", "%FF=hunter2", "a=%FFhunter2"]);
    is_warned_of("HEADERS", &["a b=hunter2", "a=hunter2%0D%0Ab: c", "a=hunter2é"]);
    is_warned_of("HEADERS", &["Content-Type=hunter2", "content-length=1234", "te=hunter2", "grpc-timeout=1234S"]);
}

#[test]
fn endpoints_of_grpc() {
    let at = |url: &str| Settings { url: url.to_owned(), ..default() };
    is_read(
        "ENDPOINT",
        &["", "http://localhost:4317", "HTTP://LOCALHOST:4317/", "http://localhost:4317/a?b#c"],
        default(),
    );
    is_read(
        "ENDPOINT",
        &["https://collector:4317", "collector:4317", "Collector:4317/"],
        at("https://collector:4317/"),
    );
    is_read("ENDPOINT", &["[::1]:4317"], at("https://[::1]:4317/"));
    is_warned_of("ENDPOINT", &["not a url", "collector", ":4317", "http://", "http://:4317", "collector:99999"]);
    is_warned_of("ENDPOINT", &["unix:///run/otlp.sock", "ftp://collector:4317", "collector:otlp", "http://a b:4317"]);
    for signal in SIGNALS {
        let (settings, warnings) = of(signal, &[("ENDPOINT", "http://someone:hunter2@collector:4317")]);
        assert_eq!(settings, at("http://collector:4317/"));
        warned(&warnings, "OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2");
    }
}

#[test]
fn a_scheme_that_is_missing_is_told_by_whether_the_collector_is_insecure() {
    let at = |url: &str| Settings { url: url.to_owned(), ..default() };
    for (is_insecure, url) in [
        ("true", "http://collector:4317/"),
        ("TRUE", "http://collector:4317/"),
        ("false", "https://collector:4317/"),
        ("", "https://collector:4317/"),
    ] {
        let variables = [("ENDPOINT", "collector:4317"), ("INSECURE", is_insecure)];
        assert_eq!(of(Signal::Logs, &variables), (at(url), vec![]), "{is_insecure}");
    }
    let (settings, _) = of(Signal::Logs, &[("ENDPOINT", "https://collector:4317"), ("INSECURE", "true")]);
    assert_eq!(settings, at("https://collector:4317/"));
    is_read("INSECURE", &["", "true", "True", "FALSE"], default());
    is_warned_of("INSECURE", &["1", "yes", "NaN", "-1"]);
}

#[track_caller]
fn goes_to(variables: &[(&str, &str)], url: &str) {
    for protocol in ["http/protobuf", "http/json"] {
        let variables: Vec<_> = [("PROTOCOL", protocol)].into_iter().chain(variables.iter().copied()).collect();
        let (settings, warnings) = of(Signal::Traces, &variables);
        assert_eq!((settings.url.as_str(), warnings.len()), (url, 0), "{variables:?}: {warnings:?}");
    }
}

#[test]
fn endpoints_of_http() {
    goes_to(&[("ENDPOINT", "")], "http://localhost:4318/v1/traces");
    goes_to(&[("ENDPOINT", "https://collector")], "https://collector/v1/traces");
    goes_to(&[("ENDPOINT", "http://collector:4318/otlp/")], "http://collector:4318/otlp/v1/traces");
    goes_to(&[("ENDPOINT", "http://collector:4318/otlp?tenant=1#x")], "http://collector:4318/otlp/v1/traces?tenant=1");
    goes_to(&[("TRACES_ENDPOINT", "http://collector:4318")], "http://collector:4318/");
    goes_to(&[("TRACES_ENDPOINT", "http://collector:4318/in")], "http://collector:4318/in");
    let both = [("ENDPOINT", "http://all:4318"), ("TRACES_ENDPOINT", "http://own:4318/in")];
    goes_to(&both, "http://own:4318/in");
    goes_to(&[both[0], ("LOGS_ENDPOINT", "http://other:4318/in")], "http://all:4318/v1/traces");
    for bad in ["not a url", "collector:4318", "http://", "ftp://collector"] {
        for name in ["ENDPOINT", "TRACES_ENDPOINT"] {
            let (settings, warnings) = of(Signal::Traces, &[("PROTOCOL", "http/json"), (name, bad)]);
            assert_eq!(settings.url, "http://localhost:4318/v1/traces", "{bad}");
            warned(&warnings, &format!("OTEL_EXPORTER_OTLP_{name}"), bad);
        }
    }
}

#[test]
fn a_signal_s_own_variable_goes_before_that_of_all() {
    let variables = [
        ("TIMEOUT", "1"),
        ("METRICS_TIMEOUT", "2"),
        ("HEADERS", "a=1"),
        ("LOGS_HEADERS", "b=2"),
        ("COMPRESSION", "gzip"),
        ("TRACES_COMPRESSION", "none"),
    ];
    let [traces, logs, metrics] = SIGNALS.map(|signal| of(signal, &variables).0);
    assert_eq!([traces.limit, logs.limit, metrics.limit], [1, 1, 2].map(|limit| Some(Duration::from_millis(limit))));
    let names = [&traces, &logs, &metrics].map(|settings| settings.headers[0].0.as_str());
    assert_eq!(names, ["a", "b", "a"]);
    assert_eq!([traces.is_gzip, logs.is_gzip, metrics.is_gzip], [false, true, true]);
}

#[test]
fn certificates_are_read_or_told_of() {
    let authority = Authority::new();
    let (client, other) = (authority.issue(), authority.issue());
    let root = authority.file("root.pem", &format!("# \u{fffd}\n{}", authority.certificate()));
    let certificate = authority.file("client.pem", &client.certificate);
    let (key, other) = (authority.file("client.key", &client.key), authority.file("other.key", &other.key));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (broken, empty) = (authority.file("broken.pem", broken), authority.file("empty.pem", ""));

    is_read("CERTIFICATE", &[""], default());
    is_read("CERTIFICATE", &[&root], Settings { tls: (true, false), ..default() });
    is_warned_of("CERTIFICATE", &["/nowhere/root.pem", "/", "abc", &empty, &broken, &key]);

    let pair = |key, certificate| of(Signal::Logs, &[("CLIENT_KEY", key), ("LOGS_CLIENT_CERTIFICATE", certificate)]);
    assert_eq!(pair(&key, &certificate), (Settings { tls: (false, true), ..default() }, vec![]));
    assert_eq!(pair("", ""), (default(), vec![]));
    is_warned_of("CLIENT_KEY", &[&key, "/nowhere/client.key"]);
    is_warned_of("CLIENT_CERTIFICATE", &[&certificate, "/nowhere/client.pem"]);
    for (key, certificate, told) in [
        (&*other, &*certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        (&certificate, &certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        ("/nowhere", &certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        (&key, &key, "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE"),
        (&key, &broken, "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE"),
    ] {
        let (settings, warnings) = pair(key, certificate);
        assert_eq!(settings, default());
        warned(&warnings, told, key);
    }
}

#[test]
fn what_is_secret_is_not_shown() {
    let authority = Authority::new();
    let client = authority.issue();
    let key = authority.file("client.key", &client.key);
    let certificate = authority.file("client.pem", &client.certificate);
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://someone:hunter2@collector/?token=hunter3"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter4"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
    ];
    let otlp = Otlp::of(&variables.into_iter().collect(), Signal::Traces);
    assert!(otlp.tls.has_identity() && otlp.url.expose().password().is_some());
    let told = format!("{otlp:?}");
    assert!(!told.contains("hunter") && !told.contains("BEGIN") && told.contains("authorization"), "{told}");
}
