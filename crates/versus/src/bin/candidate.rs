//! What is measured for time, memory and instructions, and the sink.

fn main() -> Result<(), versus::Error> {
    versus::candidate(None)
}
