/// Why a service could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A descriptor of the service lacks something that reflection needs.
    #[error("reflection cannot be built from the service's descriptors")]
    Descriptors(#[source] tonic_reflection::server::Error),
    /// The gRPC server failed.
    #[error("the gRPC server failed")]
    Rpc(#[source] tonic::transport::Error),
}
