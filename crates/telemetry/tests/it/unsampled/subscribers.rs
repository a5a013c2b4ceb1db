//! Layers that an application has beside the telemetry's in a subscriber of its own.

use tracing::{Event, Instrument, Subscriber, span};
use tracing_subscriber::layer::{Context as LayerContext, Layer as SubscriberLayer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::*;

/// Notes the names of the spans and events of this module and of errors that are told, of events also the trace that they are in.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, metadata: &tracing::Metadata<'_>, note: String) {
        if metadata.module_path() == Some(module_path!()) || metadata.target() == "telemetry::exception" {
            self.0.lock().unwrap().push(note);
        }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: Subscriber> SubscriberLayer<S> for Notes {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: LayerContext<'_, S>) {
        self.add(attributes.metadata(), attributes.metadata().name().to_owned());
    }

    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let trace = telemetry::trace_id().unwrap_or_default();
        self.add(event.metadata(), format!("{} {trace}", event.metadata().name()));
    }
}

async fn talk() {
    let work = async {
        let _debug = tracing::debug_span!("debug").entered();
        let _transport = tracing::info_span!(target: "tower", "transport").entered();
        tracing::trace!(name: "traced", "of no use");
        tracing::warn!(name: "warned", "of use");
    };
    work.instrument(tracing::info_span!("info")).await;
}

/// What `notes` are taken of a sampled call, and of one that is not.
async fn noted(telemetry: &Telemetry, notes: &Notes) -> [Vec<String>; 2] {
    serve_here(telemetry, "01", talk()).await;
    let sampled = notes.taken();
    serve_here(telemetry, "00", talk()).await;
    [sampled, notes.taken()]
}

fn tracing_layer<S>(telemetry: &Telemetry) -> impl SubscriberLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    telemetry.tracing_layer()
}

#[tokio::test]
async fn a_layer_beside_it_sees_all_but_the_spans_that_would_be_exported_of_a_sampled_call() {
    let (traced, warned) = (format!("traced {TRACE}"), format!("warned {TRACE}"));
    let sampled = ["info", "debug", "transport", &traced, &warned];
    let unsampled = ["debug", "transport", &traced, &warned];
    let spans = Spans::new();
    let (telemetry, notes) = (service(&spans, "test", &[]), Notes::default());
    {
        let _outside = tracing_subscriber::registry().with(tracing_layer(&telemetry)).with(notes.clone()).set_default();
        let [first, second] = noted(&telemetry, &notes).await;
        assert_eq!((first, second), (sampled.map(str::to_owned).into(), unsampled.map(str::to_owned).into()));
    }
    let _inside = tracing_subscriber::registry().with(notes.clone()).with(tracing_layer(&telemetry)).set_default();
    let [first, second] = noted(&telemetry, &notes).await;
    assert_eq!((first, second), (sampled.map(str::to_owned).into(), unsampled.map(str::to_owned).into()));
    assert_eq!(exported(&spans).await.iter().filter(|name| name.contains("INTERNAL")).count(), 2);
}

#[tokio::test]
async fn a_filtered_layer_beside_it_sees_what_its_filter_lets_through() {
    use tracing_subscriber::filter::LevelFilter;
    let spans = Spans::new();
    let (telemetry, notes) = (service(&spans, "test", &[]), Notes::default());
    let filtered = notes.clone().with_filter(LevelFilter::DEBUG);
    let _subscriber = tracing_subscriber::registry().with(filtered).with(tracing_layer(&telemetry)).set_default();
    let [sampled, unsampled] = noted(&telemetry, &notes).await;
    let warned = format!("warned {TRACE}");
    assert_eq!(sampled, ["info", "debug", "transport", &warned]);
    assert_eq!(unsampled, ["debug", "transport", &warned]);
}

#[tokio::test]
async fn an_error_of_an_unsampled_call_is_logged_once_in_its_trace() {
    let spans = Spans::new();
    let (telemetry, notes) = (service(&spans, "test", &[]), Notes::default());
    let _subscriber = tracing_subscriber::registry().with(tracing_layer(&telemetry)).with(notes.clone()).set_default();
    let tell = || telemetry::record_exception(&std::io::Error::other("disk full"));
    serve_here(&telemetry, "00", async {
        telemetry::spawn(async move { tell() }).await.unwrap();
        tell();
    })
    .await;
    let taken = notes.taken();
    assert!(taken.len() == 1 && taken[0].ends_with(TRACE), "{taken:?}");
}
