//! Objects as they were read, for plans that depend on what is there, and for their preview.

use std::fmt;
use std::rc::Rc;

use kube::api::DynamicObject;
use serde_json::Value;

use super::steps::Place;
use crate::object::ObjectReference;

/// Objects that exist, by where they are and what they are called; a clone shares them.
#[derive(Clone, Default)]
pub(crate) struct LiveObjects(Rc<Vec<(Place, ObjectReference, DynamicObject)>>);

impl LiveObjects {
    /// Collects objects that were read.
    #[must_use]
    pub(crate) fn new(objects: impl IntoIterator<Item = (Place, ObjectReference, DynamicObject)>) -> Self {
        Self(Rc::new(objects.into_iter().collect()))
    }

    /// Returns an object, where it exists and was read.
    #[must_use]
    pub(crate) fn get(&self, place: Place, reference: &ObjectReference) -> Option<&DynamicObject> {
        self.0.iter().find(|(at, name, _)| *at == place && name == reference).map(|(_, _, object)| object)
    }

    /// Returns the object that a manifest describes, where it exists and was read.
    #[must_use]
    pub(crate) fn of(&self, place: Place, manifest: &Value) -> Option<&DynamicObject> {
        self.get(place, &ObjectReference::of(manifest).ok()?)
    }
}

impl fmt::Debug for LiveObjects {
    /// Names the objects and leaves their content out: there are Secrets among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(place, reference, _)| (place, reference.display()));
        formatter.debug_list().entries(names).finish()
    }
}
