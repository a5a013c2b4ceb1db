//! The shop's contracts in Rust: generated from the files under `proto/`, one module per package, with the descriptors
//! that gRPC reflection serves. The only code written by hand is [`Invalid`]: what makes a message malformed.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod invalid;

pub use invalid::{Invalid, Violation};

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

/// Package `shop.gateway.v1`: the shop's public API.
pub mod gateway {
    #[doc(inline)]
    pub use crate::generated::shop::gateway::v1;

    /// The package and all it imports, as an encoded `FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gateway.descriptors.bin"));
}

/// Package `shop.order.v1`: takes orders and sees them through.
pub mod order {
    #[doc(inline)]
    pub use crate::generated::shop::order::v1;

    /// The package and all it imports, as an encoded `FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/order.descriptors.bin"));
}

/// Package `shop.payment.v1`: moves money through the bank.
pub mod payment {
    #[doc(inline)]
    pub use crate::generated::shop::payment::v1;

    /// The package and all it imports, as an encoded `FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/payment.descriptors.bin"));
}

/// Package `shop.notification.v1`: tells customers what became of their orders.
pub mod notification {
    #[doc(inline)]
    pub use crate::generated::shop::notification::v1;

    /// The package and all it imports, as an encoded `FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/notification.descriptors.bin"));
}

/// Package `shop.type.v1`: the messages that several contracts share.
pub mod types {
    #[doc(inline)]
    pub use crate::generated::shop::r#type::v1;
}
