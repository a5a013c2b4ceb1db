//! Texts that repeat from call to call, such as a peer's address: each thread makes one once and shares it from then on.
//! There is room for a few; one that comes up in the place of another takes it.

use std::array::from_fn;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use opentelemetry::StringValue;

use crate::attributes::{LONGEST_NAME, truncated};

/// How many texts of a kind a thread keeps.
const PLACES: usize = 32;

thread_local! {
    static NAMES: RefCell<Kept<()>> = RefCell::new(Kept(from_fn(|_| None)));
    static ADDRESSES: RefCell<Kept<IpAddr>> = RefCell::new(Kept(from_fn(|_| None)));
}

struct Kept<K>([Option<(K, Arc<str>)>; PLACES]);

/// A name from outside, short enough for a span, as an attribute's value.
pub(crate) fn name(name: &str) -> StringValue {
    let name = truncated(name, LONGEST_NAME);
    // FNV-1a: whoever makes two names meet in one place has them made again, which is what they cost otherwise.
    let mix = |hash: usize, byte: &u8| (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193);
    let place = name.as_bytes().iter().fold(0x811c_9dc5, mix);
    NAMES.with_borrow_mut(|kept| kept.get(place, |(_, known)| **known == *name, || ((), Arc::from(name))))
}

/// An address as an attribute's value.
pub(crate) fn address(address: IpAddr) -> StringValue {
    let last = match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    let make = || (address, Arc::from(address.to_string()));
    ADDRESSES.with_borrow_mut(|kept| kept.get(usize::from(last), |(known, _)| *known == address, make))
}

// === impl Kept ===

impl<K> Kept<K> {
    fn get(
        &mut self,
        hash: usize,
        is_it: impl Fn(&(K, Arc<str>)) -> bool,
        make: impl FnOnce() -> (K, Arc<str>),
    ) -> StringValue {
        let place = &mut self.0[hash % PLACES];
        if !place.as_ref().is_some_and(is_it) {
            *place = Some(make());
        }
        let text = place.as_ref().map(|(_, text)| Arc::clone(text));
        text.expect("the place has just been filled").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_whoever_had_its_place_before() {
        for number in 0..200 {
            let host = format!("host-{number}.example");
            assert_eq!((name(&host).as_str(), name(&host).as_str()), (&*host, &*host));
        }
        assert_eq!(name(&"ä".repeat(300)).as_str(), "ä".repeat(256));
    }

    #[test]
    fn an_address_is_itself_whoever_had_its_place_before() {
        for text in ["127.0.0.1", "10.0.0.1", "::1", "127.0.0.33", "2001:db8::21", "127.0.0.1"] {
            assert_eq!(address(text.parse().unwrap()).as_str(), text);
        }
    }
}
