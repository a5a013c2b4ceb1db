use std::sync::Arc;

use foldhash::HashSet;
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::rpc::names;

/// The methods that a server knows, so that a path invented by a caller becomes neither a span name nor a series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Methods {
    known: Option<Arc<HashSet<&'static str>>>,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method<'a> {
    /// `package.Service/Method`.
    pub(crate) name: &'a str,
    pub(crate) standing: Standing,
    /// Whether it belongs to health or reflection, which are asked all day long and make no span.
    pub(crate) is_quiet: bool,
}

/// What is known of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is served here, by this name.
    Known(&'static str),
    /// It is not served here.
    Unknown,
    /// The server was told no methods, so it may be either.
    Unproven,
}

/// The methods of health and reflection, which a server may have without having been told.
const QUIET: [&str; 5] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

// === impl Methods ===

impl Methods {
    /// Adds every method of an encoded `FileDescriptorSet`.
    pub(crate) fn add(&mut self, descriptors: &[u8]) -> Result<(), prost::DecodeError> {
        let mut known = self.known.as_deref().cloned().unwrap_or_default();
        for file in FileDescriptorSet::decode(descriptors)?.file {
            for service in &file.service {
                let dot = if file.package().is_empty() { "" } else { "." };
                let path = |method: &str| format!("{}{dot}{}/{method}", file.package(), service.name());
                known.extend(service.method.iter().map(|method| names::declared(&path(method.name()))));
            }
        }
        self.known = Some(Arc::new(known));
        Ok(())
    }

    /// What `path` asks for.
    pub(crate) fn resolve<'a>(&self, path: &'a str) -> Method<'a> {
        let name = path.strip_prefix('/').unwrap_or(path);
        let is_quiet = is_quiet(name);
        let described = self.known.as_ref().and_then(|known| known.get(name).copied());
        let quiet = || QUIET.into_iter().find(|quiet| is_quiet && *quiet == name);
        let standing = match described.or_else(quiet) {
            Some(name) => Standing::Known(name),
            None if is_quiet || self.known.is_some() => Standing::Unknown,
            None => Standing::Unproven,
        };
        Method { name, standing, is_quiet }
    }
}

/// Whether `name` is a method of health or reflection.
pub(crate) fn is_quiet(name: &str) -> bool {
    name.starts_with("grpc.health.") || name.starts_with("grpc.reflection.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

    fn descriptors() -> Vec<u8> {
        let method = MethodDescriptorProto { name: Some("Get".into()), ..Default::default() };
        let service = ServiceDescriptorProto { name: Some("B".into()), method: vec![method], ..Default::default() };
        let file = FileDescriptorProto { package: Some("a".into()), service: vec![service], ..Default::default() };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    #[track_caller]
    fn check(methods: &Methods, name: &str, standing: Standing, is_quiet: bool) {
        assert_eq!(methods.resolve(&format!("/{name}")), Method { name, standing, is_quiet });
    }

    #[test]
    fn only_described_methods_are_known() {
        let mut methods = Methods::default();
        methods.add(&descriptors()).unwrap();
        check(&methods, "a.B/Get", Standing::Known("a.B/Get"), false);
        check(&methods, "a.B/Nope", Standing::Unknown, false);
        assert!(methods.add(b"\xff").is_err());
    }

    #[test]
    fn without_descriptors_any_method_may_be_one() {
        check(&Methods::default(), "a.B/Nope", Standing::Unproven, false);
    }

    #[test]
    fn health_and_reflection_are_known_by_their_own_methods_only() {
        let mut described = Methods::default();
        described.add(&descriptors()).unwrap();
        for methods in [described, Methods::default()] {
            for name in QUIET {
                check(&methods, name, Standing::Known(name), true);
            }
            check(&methods, "grpc.health.v1.Health/Nope", Standing::Unknown, true);
        }
    }
}
