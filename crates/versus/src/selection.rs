use clap::Args;

use crate::run::{Attributes, Candidate, Sampling, Scenario};

/// What a bench compares: the options that all benches have.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// Who is compared with bare tonic.
    #[arg(long, value_delimiter = ',', default_values_t = [
        Candidate::Ours,
        Candidate::OursWhole,
        Candidate::Tutorial,
        Candidate::TonicTracingOpentelemetry,
        Candidate::TowerOtel,
    ], value_enum)]
    candidates: Vec<Candidate>,
    /// What is called.
    #[arg(long, value_delimiter = ',', default_values_t = [
        Scenario::Unary,
        Scenario::Chain,
        Scenario::Steps,
    ], value_enum)]
    scenarios: Vec<Scenario>,
    /// Which share of the traces is recorded.
    #[arg(long, value_delimiter = ',', default_values_t = [Sampling::On, Sampling::Tenth, Sampling::Off], value_enum)]
    samplings: Vec<Sampling>,
    /// What each span of a call carries: filled up to ten, or each candidate's own.
    #[arg(long, default_value_t = Attributes::Ten, value_enum)]
    pub(crate) attributes: Attributes,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

// === impl Selection ===

impl Selection {
    /// What each table is about.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (Scenario, Sampling)> {
        self.scenarios.iter().flat_map(|scenario| self.samplings.iter().map(|sampling| (*scenario, *sampling)))
    }

    /// Who is measured: bare tonic, which all others are compared with, and then they.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let others = self.candidates.iter().copied().filter(|candidate| *candidate != Candidate::Bare);
        [Candidate::Bare].into_iter().chain(others).collect()
    }

    /// The order of a round, as positions in [`candidates`](Self::candidates): each starts another one first, so that
    /// nobody always runs in the same neighbour's wake.
    pub(crate) fn order(&self, round: u64) -> impl Iterator<Item = usize> + use<> {
        let count = self.candidates().len();
        let first = usize::try_from(round).unwrap_or_default();
        (0..count).map(move |position| (first + position) % count)
    }
}
