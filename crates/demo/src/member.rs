//! The processes the demo is made of.

use std::fmt;

use clap::ValueEnum;

/// One of the demo's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Member {
    /// Receives the traces and answers questions about them.
    Collector,
    /// The sandbox acquirer.
    Bank,
    /// Charges through the bank.
    Payment,
    /// Takes orders, charges through payment.
    Order,
    /// The shop's public side.
    Gateway,
}

impl Member {
    /// All of them, each after those it calls: the order to start in, and backwards the order to stop in.
    pub(crate) const ALL: [Self; 5] = [Self::Collector, Self::Bank, Self::Payment, Self::Order, Self::Gateway];

    /// Those that keep a database.
    pub(crate) const KEEPING: [Self; 3] = [Self::Bank, Self::Payment, Self::Order];

    /// Its name, as a service and as a command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Bank => "bank",
            Self::Payment => "payment",
            Self::Order => "order",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
