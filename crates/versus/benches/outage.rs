//! How long calls take whose collector is away, as ratios to one that answers.

fn main() -> Result<(), versus::Error> {
    versus::outage(env!("CARGO_BIN_EXE_candidate"))
}
