//! Instructions per call, as ratios to bare tonic, counted by callgrind.

fn main() -> Result<(), versus::Error> {
    versus::instructions(env!("CARGO_BIN_EXE_candidate"))
}
