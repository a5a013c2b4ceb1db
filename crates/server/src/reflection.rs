//! gRPC reflection, in the version of today and the one that many tools still speak.

use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyStream, StreamBody};
use tonic::body::Body;
use tonic::service::{LayerExt, Routes};
use tonic_reflection::server::{Builder, Error};
use tower::util::MapRequestLayer;

use crate::stop::Stop;

/// A request holds one symbol's or file's name.
const MAX_REQUEST: usize = 4 * 1024;

/// Adds `grpc.reflection.v1` and `v1alpha` to `routes`; they show the services of `descriptors` and health, and the
/// messages of `google.rpc`, so that tools can read the details of an error.
pub(crate) fn add(routes: Routes, descriptors: &'static [u8], stop: &Stop) -> Result<Routes, Error> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1()?.max_decoding_message_size(MAX_REQUEST);
    let v1alpha = builder().build_v1alpha()?.max_decoding_message_size(MAX_REQUEST);

    let stop = stop.clone();
    let until_drain = MapRequestLayer::new(move |request| ask_until_drain(request, stop.clone()));
    Ok(routes.add_service(until_drain.clone().named_layer(v1)).add_service(until_drain.named_layer(v1alpha)))
}

/// Ends the request's stream when the drain begins, and the call with it: some tools keep theirs open for as long as
/// they run, and a drain would wait for them.
fn ask_until_drain(request: Request<Body>, stop: Stop) -> Request<Body> {
    request.map(|body| Body::new(StreamBody::new(BodyStream::new(body).take_until(stop.draining()))))
}
