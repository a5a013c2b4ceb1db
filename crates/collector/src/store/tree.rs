use std::sync::Arc;

/// What an item costs beside its own bytes: the allocator's part, a reference count, slots in the collections.
const OVERHEAD: usize = 64;

/// What everything in a batch has in common: the resource and the scope it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(super) resource: Arc<Resource>,
    pub(super) scope: Arc<Scope>,
}

/// A resource and its schema's URL, encoded as a batch without scopes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The `service.name`, empty when there is none.
    pub(crate) service: Box<str>,
    pub(super) encoded: Vec<u8>,
}

/// A scope and its schema's URL, encoded as a scope's batch without items.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(super) encoded: Vec<u8>,
}

/// Items under their scopes under their resources, as OTLP nests them, each resource and scope kept once.
///
/// A clone shares everything with its original: it is how a reader takes a trace out of the store's lock.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    pub(super) batches: Vec<Batch<T>>,
}

/// What comes from one resource.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) resource: Arc<Resource>,
    pub(crate) scopes: Vec<ScopeBatch<T>>,
}

/// What comes from one scope of a resource.
#[derive(Debug)]
pub(crate) struct ScopeBatch<T> {
    pub(crate) scope: Arc<Scope>,
    pub(crate) items: Vec<Arc<T>>,
}

/// Something that takes memory.
pub(super) trait Weigh {
    /// About how many bytes it takes.
    fn weight(&self) -> usize;
}

// === impl Origin ===

impl Weigh for Origin {
    fn weight(&self) -> usize {
        self.resource.weight() + self.scope.weight()
    }
}

// === impl Resource ===

impl Weigh for Resource {
    fn weight(&self) -> usize {
        OVERHEAD + size_of::<Self>() + self.service.len() + self.encoded.len()
    }
}

// === impl Scope ===

impl Weigh for Scope {
    fn weight(&self) -> usize {
        OVERHEAD + size_of::<Self>() + self.encoded.len()
    }
}

// === impl Tree ===

impl<T> Tree<T> {
    /// Adds `item` to what is here of `origin`.
    ///
    /// Returns the weight that was added; the origin's is part of it when nothing was here of it.
    pub(super) fn push(&mut self, origin: &Origin, item: Arc<T>) -> usize
    where
        T: Weigh,
    {
        let mut added = OVERHEAD + item.weight();
        let known = self.batches.iter().position(|batch| batch.resource == origin.resource);
        let at = known.unwrap_or_else(|| {
            added += origin.resource.weight();
            self.batches.push(Batch { resource: Arc::clone(&origin.resource), scopes: Vec::new() });
            self.batches.len() - 1
        });

        let scopes = &mut self.batches[at].scopes;
        let known = scopes.iter().position(|batch| batch.scope == origin.scope);
        let at = known.unwrap_or_else(|| {
            added += origin.scope.weight();
            scopes.push(ScopeBatch { scope: Arc::clone(&origin.scope), items: Vec::new() });
            scopes.len() - 1
        });
        scopes[at].items.push(item);
        added
    }

    /// The most that [`Tree::push`] may add.
    pub(super) fn cost(origin: &Origin, item: &T) -> usize
    where
        T: Weigh,
    {
        OVERHEAD + item.weight() + origin.weight()
    }

    pub(super) fn len(&self) -> usize {
        self.batches.iter().flat_map(|batch| &batch.scopes).map(|scope| scope.items.len()).sum()
    }

    /// Every item with the service it comes from.
    pub(super) fn items(&self) -> impl Iterator<Item = (&str, &T)> {
        self.batches.iter().flat_map(|batch| {
            let items = batch.scopes.iter().flat_map(|scope| &scope.items);
            items.map(|item| (&*batch.resource.service, &**item))
        })
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { batches: Vec::new() }
    }
}

impl<T> Clone for Tree<T> {
    fn clone(&self) -> Self {
        Self { batches: self.batches.clone() }
    }
}

// === impl Batch ===

impl<T> Clone for Batch<T> {
    fn clone(&self) -> Self {
        Self { resource: Arc::clone(&self.resource), scopes: self.scopes.clone() }
    }
}

// === impl ScopeBatch ===

impl<T> Clone for ScopeBatch<T> {
    fn clone(&self) -> Self {
        Self { scope: Arc::clone(&self.scope), items: self.items.clone() }
    }
}
