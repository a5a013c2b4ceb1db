//! Spans a second that reach a collector, and what each costs, beside the stock pipeline.

fn main() -> Result<(), versus::Error> {
    versus::pipeline(env!("CARGO_BIN_EXE_candidate"))
}
