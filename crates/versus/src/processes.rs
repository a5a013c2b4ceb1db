//! The processes of a measurement: a sink, and the one that is measured, each started anew.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use crate::Error;
use crate::load::Cost;
use crate::run::Run;
use crate::sink::Received;

/// What one measurement has given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) cost: Cost,
    pub(crate) received: Received,
}

/// A running sink. It ends by itself once nobody holds its input.
struct Sink {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

/// Runs `program` on `run` with a sink of its own, which is `candidate`.
pub(crate) fn measure(candidate: &str, program: &str, run: &Run) -> Result<Outcome, Error> {
    let (cost, received) = with_sink(candidate, run, |run| {
        let output = Command::new(program).arg(run).stderr(Stdio::inherit()).output()?;
        succeeded(program, output.status.success())?;
        parse(&output.stdout)
    })?;
    Ok(Outcome { cost, received })
}

/// Gives `work` the run, which names the address of a sink then, and says what that sink has received.
pub(crate) fn with_sink<T>(
    candidate: &str,
    run: &Run,
    work: impl FnOnce(String) -> Result<T, Error>,
) -> Result<(T, Received), Error> {
    let sink = Sink::start(candidate)?;
    let run = Run { otlp: sink.address.clone(), ..run.clone() };
    let result = work(serde_json::to_string(&run)?);
    let received = sink.finish()?;
    Ok((result?, received))
}

/// An error unless `program` has ended well.
pub(crate) fn succeeded(program: &str, success: bool) -> Result<(), Error> {
    if success { Ok(()) } else { Err(format!("{program} has failed").into()) }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(line)?)
}

// === impl Sink ===

impl Sink {
    fn start(candidate: &str) -> Result<Self, Error> {
        let mut child = Command::new(candidate).arg("sink").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the sink has no output")?;
        let mut output = BufReader::new(output);
        let mut address = String::new();
        output.read_line(&mut address)?;
        Ok(Self { child, output, address: address.trim().to_owned() })
    }

    /// Ends the sink's input, which is its sign to say what it has received and to end.
    fn finish(mut self) -> Result<Received, Error> {
        drop(self.child.stdin.take());
        let mut received = String::new();
        self.output.read_line(&mut received)?;
        succeeded("the sink", self.child.wait()?.success())?;
        parse(received.as_bytes())
    }
}
