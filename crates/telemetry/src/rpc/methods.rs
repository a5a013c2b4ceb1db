use std::collections::HashSet;
use std::sync::Arc;

use prost::Message;
use prost_types::FileDescriptorSet;

/// The methods that a server knows, so that a path invented by a caller becomes neither a span name nor a series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Methods {
    known: Option<Arc<HashSet<String>>>,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Method<'a> {
    /// `package.Service/Method`.
    Known(&'a str),
    /// The same, of a method that is not served here.
    Unknown(&'a str),
}

// === impl Methods ===

impl Methods {
    /// Adds every method of an encoded `FileDescriptorSet`.
    pub(crate) fn add(&mut self, descriptors: &[u8]) -> Result<(), prost::DecodeError> {
        let mut known = self.known.as_deref().cloned().unwrap_or_default();
        for file in FileDescriptorSet::decode(descriptors)?.file {
            for service in &file.service {
                let dot = if file.package().is_empty() { "" } else { "." };
                let path = |method: &str| format!("{}{dot}{}/{method}", file.package(), service.name());
                known.extend(service.method.iter().map(|method| path(method.name())));
            }
        }
        self.known = Some(Arc::new(known));
        Ok(())
    }

    /// What `path` asks for; `None` for health and reflection, which are asked all day long and make no span. A server
    /// that was told no methods takes every path as it comes.
    pub(crate) fn resolve<'a>(&self, path: &'a str) -> Option<Method<'a>> {
        let name = path.strip_prefix('/').unwrap_or(path);
        if is_quiet(name) {
            return None;
        }
        Some(match &self.known {
            Some(known) if !known.contains(name) => Method::Unknown(name),
            _ => Method::Known(name),
        })
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

    #[test]
    fn only_described_methods_are_known() {
        let mut methods = Methods::default();
        methods.add(&descriptors()).unwrap();
        assert_eq!(methods.resolve("/a.B/Get"), Some(Method::Known("a.B/Get")));
        assert_eq!(methods.resolve("/a.B/Nope"), Some(Method::Unknown("a.B/Nope")));
        assert_eq!(methods.resolve("/grpc.health.v1.Health/Watch"), None);
        assert!(methods.add(b"\xff").is_err());
    }

    #[test]
    fn without_descriptors_every_path_is_taken_as_it_comes() {
        assert_eq!(Methods::default().resolve("/a.B/Nope"), Some(Method::Known("a.B/Nope")));
    }
}
