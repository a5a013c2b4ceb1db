//! The names of methods that code declares, `package.Service/Method`. They live as long as the process, so that a call
//! makes no text of its own; there are as many as there are methods in its generated code and descriptors.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, RwLock};

use foldhash::HashMap;
use tonic::GrpcMethod;

use crate::lock::{lock, read, write};

static DECLARED: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
static GENERATED: LazyLock<RwLock<HashMap<Generated, &'static str>>> = LazyLock::new(RwLock::default);

/// A method as a generated client names it: a key that is made without an allocation.
#[derive(Clone, Debug)]
pub(crate) struct Generated(GrpcMethod<'static>);

/// The one text of this name.
pub(super) fn declared(name: &str) -> &'static str {
    let mut names = lock(&DECLARED);
    if let Some(name) = names.get(name) {
        return name;
    }
    let name: &'static str = Box::leak(Box::from(name));
    names.insert(name);
    name
}

// === impl Generated ===

impl Generated {
    /// The method of a request, if a generated client makes it.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<Self> {
        request.extensions().get().cloned().map(Self)
    }

    /// `package.Service/Method`.
    pub(crate) fn name(&self) -> &'static str {
        if let Some(name) = read(&GENERATED).get(self) {
            return name;
        }
        let name = declared(&format!("{}/{}", self.0.service(), self.0.method()));
        write(&GENERATED).insert(self.clone(), name);
        name
    }
}

impl PartialEq for Generated {
    fn eq(&self, other: &Self) -> bool {
        self.0.method() == other.0.method() && self.0.service() == other.0.service()
    }
}

impl Eq for Generated {}

impl Hash for Generated {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.service().hash(state);
        self.0.method().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once() {
        let generated = || Generated(GrpcMethod::new("names.v1.Test", "Get")).name();
        assert_eq!(generated(), "names.v1.Test/Get");
        assert!(std::ptr::eq(generated(), declared("names.v1.Test/Get")));
        assert!(std::ptr::eq(generated(), generated()));
    }
}
