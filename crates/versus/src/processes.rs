//! The processes of a measurement: a sink, and the one that is measured, each started anew.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use crate::Error;
use crate::load::Cost;
use crate::run::Run;
use crate::sink::Received;
use crate::task::Task;

/// What one measurement has given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) cost: Cost,
    pub(crate) received: Received,
}

/// A running process that takes spans. It ends by itself once nobody holds its input.
struct Receiver {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

/// Runs `program` on `run` with a sink of its own, which is `candidate`.
pub(crate) fn measure(candidate: &str, program: &str, run: &Run) -> Result<Outcome, Error> {
    let (cost, received) = with_sink(candidate, run, |task| perform(program, &task))?;
    Ok(Outcome { cost, received })
}

/// Gives `work` the run, which names the address of a sink then, and says what that sink has received.
pub(crate) fn with_sink<T>(
    candidate: &str,
    run: &Run,
    work: impl FnOnce(Task) -> Result<T, Error>,
) -> Result<(T, Received), Error> {
    with_receiver(candidate, &Task::Sink, |otlp| work(Task::Calls(Run { otlp: otlp.to_owned(), ..run.clone() })))
}

/// Gives `work` the address of a process that takes spans as `receiver` says, and says what that one says in the end.
pub(crate) fn with_receiver<T, R: DeserializeOwned>(
    candidate: &str,
    receiver: &Task,
    work: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<(T, R), Error> {
    let receiver = Receiver::start(candidate, receiver)?;
    let result = work(&receiver.address);
    let received = receiver.finish()?;
    Ok((result?, received))
}

/// Runs `program` on `task`, and reads what it prints.
pub(crate) fn perform<T: DeserializeOwned>(program: &str, task: &Task) -> Result<T, Error> {
    let output = Command::new(program).arg(task.argument()?).stderr(Stdio::inherit()).output()?;
    succeeded(program, output.status.success())?;
    parse(&output.stdout)
}

/// An error unless `program` has ended well.
pub(crate) fn succeeded(program: &str, success: bool) -> Result<(), Error> {
    if success { Ok(()) } else { Err(format!("{program} has failed").into()) }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(line)?)
}

// === impl Receiver ===

impl Receiver {
    fn start(candidate: &str, task: &Task) -> Result<Self, Error> {
        let argument = task.argument()?;
        let mut child = Command::new(candidate).arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the receiver has no output")?;
        let mut output = BufReader::new(output);
        let mut address = String::new();
        output.read_line(&mut address)?;
        Ok(Self { child, output, address: address.trim().to_owned() })
    }

    /// Ends the receiver's input, which is its sign to say what it has received and to end.
    fn finish<R: DeserializeOwned>(mut self) -> Result<R, Error> {
        drop(self.child.stdin.take());
        let mut received = String::new();
        self.output.read_line(&mut received)?;
        succeeded("the receiver", self.child.wait()?.success())?;
        parse(received.as_bytes())
    }
}
