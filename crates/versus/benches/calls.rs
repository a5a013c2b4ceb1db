//! Time, CPU time, allocations and memory per call, as ratios to bare tonic.

fn main() -> Result<(), versus::Error> {
    versus::calls(env!("CARGO_BIN_EXE_candidate"), env!("CARGO_BIN_EXE_counted"))
}
