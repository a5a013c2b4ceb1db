use std::str::FromStr;

/// An amount that can be charged: exact, and more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) minor_units: MinorUnits,
    pub(crate) currency: Currency,
}

/// At least 1 of a currency's minor unit: cents for EUR, whole yen for JPY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinorUnits(i64);

/// An ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be at least 1")]
pub(crate) struct NotPositive;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 code: three upper-case letters")]
pub(crate) struct NotACurrency;

// === impl MinorUnits ===

impl MinorUnits {
    pub(crate) fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for MinorUnits {
    type Error = NotPositive;

    fn try_from(minor_units: i64) -> Result<Self, NotPositive> {
        if minor_units > 0 { Ok(Self(minor_units)) } else { Err(NotPositive) }
    }
}

// === impl Currency ===

impl Currency {
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("three ASCII letters are UTF-8")
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(NotACurrency) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for bad in ["", "EU", "EURO", "eur", "E1R", "€", "ÄB"] {
            assert_eq!(bad.parse::<Currency>(), Err(NotACurrency), "{bad:?}");
        }
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "EUR");
    }

    #[test]
    fn nothing_and_less_cannot_be_charged() {
        for bad in [0, -1, i64::MIN] {
            assert_eq!(MinorUnits::try_from(bad), Err(NotPositive));
        }
        assert_eq!(MinorUnits::try_from(i64::MAX).unwrap().get(), i64::MAX);
    }
}
